//! Which products keep an arm's data and carry its events on servers, and what each takes of the memory and the CPU of the arm's
//! servers.

use model::Window;
use record::{Better, Proc};

use super::Breakdown;
use crate::draft::{Card, Draft};
use crate::expect::Argument;
use crate::inference::{Once, Statistic};
use crate::measure::{Claim, Unit};
use crate::measures::highest_memory;
use crate::selection::Selection;

/// `server_memory_<product>` and `server_cpu_<product>`, of every product that some arm has servers of. They explain the rows whose
/// parts they are, and arms are compared by those.
pub(super) const SERVER_PARTS: Breakdown = Breakdown { terms: &[], drafts, scores: |_| Vec::new() };

/// A product whose servers an arm may have.
struct Product {
    /// What the names of its servers begin with: `postgres#0`.
    name: &'static str,
    /// How people call it.
    words: &'static str,
}

const PRODUCTS: [Product; 2] =
    [Product { name: "postgres", words: "PostgreSQL" }, Product { name: "nats", words: "NATS" }];

impl Product {
    /// Whether a process is a server of it.
    fn has(&self, proc: &Proc) -> bool {
        proc.is_server && record::process_of(&proc.instance) == self.name
    }

    /// Whether an arm has servers of it that were sampled.
    fn is_in(&self, of: &Selection<'_>) -> bool {
        of.run.processes(of.arm).any(|(_, samples)| samples.iter().any(|(_, proc)| self.has(proc)))
    }

    /// Memory that its servers held at most.
    fn memory(&self, of: &Selection<'_>) -> Statistic {
        let is_here = self.is_in(of);
        let highest = |round: &Selection<'_>| match is_here {
            true => highest_memory(round, |proc| self.has(proc)),
            false => Some(0.0),
        };
        Statistic::once(of.by_round(|round| highest(round).map(Once::of)))
    }

    /// CPU of its servers over journeys finished.
    fn cpu(&self, of: &Selection<'_>) -> Statistic {
        of.per_journey(1e-9, |unit| unit.grown(|proc| if self.has(proc) { proc.cpu_ns } else { 0 }))
    }
}

fn drafts(card: &Card<'_>) -> Vec<Draft> {
    let window = Window::Whole;
    let (whole, steady) = (selections(card, &window), selections(card, &card.steady));
    let in_use = PRODUCTS.iter().filter(|product| whole.iter().any(|of| product.is_in(of)));
    let of_product = |product: &Product| {
        let memory = draft(product, "server_memory", Unit::Bytes, &whole, Product::memory);
        [memory, draft(product, "server_cpu", Unit::Time, &steady, Product::cpu)]
    };
    in_use.flat_map(of_product).flatten().collect()
}

/// A window of every arm.
fn selections<'a>(card: &'a Card<'_>, window: &'a Window) -> Vec<Selection<'a>> {
    let letters = card.run.letters().into_iter();
    letters.map(|arm| Selection::new(card.run, arm, window, &Argument::None)).collect()
}

/// A product's part of a row, in the row's window.
fn draft(
    product: &Product,
    total: &'static str,
    unit: Unit,
    selections: &[Selection<'_>],
    statistic: fn(&Product, &Selection<'_>) -> Statistic,
) -> Option<Draft> {
    let statistics = selections.iter().map(|of| (of.arm, statistic(product, of))).collect();
    let id = format!("{total}_{}", product.name);
    let frame = selections.first()?.frame();
    Some(Draft {
        claim: Claim::Technology,
        unit,
        better: Better::Lower,
        part_of: Some(total),
        ..Draft::new(id, product.words.to_owned(), frame, statistics)
    })
}
