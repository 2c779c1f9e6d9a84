//! The method against records whose truth is known: how often intervals hold it, how often something is called different
//! that is not, and how often a planted effect is found. Seeds are fixed: a failure is a change in the code.

mod bounds;
mod card;
mod claims;
mod coverage;
mod exact;
mod findings;
mod fronts;
mod queue;
mod random;
mod recoveries;
mod rounds;
mod shares;
mod truths;
mod withheld;
