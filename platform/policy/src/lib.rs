//! Policies without a clock: load balancing, retry budgets, breakers, bulkheads, ejection, admission, deadlines.
