//! Requests that were followed, and where their time went.

use super::{Def, letter, list, number, object, of, one_of, text, whole};

pub(super) fn traces() -> Vec<Def> {
    let classes = ["network", "queue", "work", "database", "injected", "unanswered"];
    let class = one_of(&classes, "what a stretch of a request's time was spent on");
    let span = object(
        &[
            ("of", text("component that did it; client for the root")),
            ("name", text("GET /v1/feed, SELECT photo_photos, queue.wait")),
            ("place", text("where its time belongs: a component, or an edge")),
            ("start", whole("begin, ns since the root's")),
            ("length", whole("length, ns; clipped to its parent's")),
            ("class", of("class")),
        ],
        &[
            ("parent", whole("index of the span it belongs to; absent for the root")),
            ("at", text("the copy it happened in")),
            ("error", text("why it failed; absent if it did not")),
        ],
    );
    let segment = object(
        &[
            ("span", whole("index of the span it belongs to")),
            ("start", whole("begin, ns since the root's")),
            ("length", whole("length, ns")),
        ],
        &[],
    );
    let trace = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("phase", whole("index of the phase it was due in")),
            ("journey", text("journey name")),
            ("request", whole("number of its arrival, the same in every arm")),
            ("trace_id", text("32 hex digits")),
            ("kept", one_of(&["error", "slow", "pair"], "why it was kept")),
            ("due", whole("when it was due, ns since the run's start")),
            ("felt", whole("from then to its end, ns")),
            ("start", whole("when it was sent, ns since the run's start: the root's begin")),
            ("spans", list(of("span"), "the spans; the root first, parents before children")),
            ("path", list(of("segment"), "the critical path; the lengths add up to the root's")),
        ],
        &[
            ("error", text("why it failed; absent if it did not")),
            ("clipped", whole("what spans reached beyond their parents, ns")),
            ("orphans", whole("spans whose parent never arrived")),
        ],
    );
    let part = object(
        &[
            ("place", text("component, or edge")),
            ("class", of("class")),
            ("mean", number("mean over all traces, ns on the critical path")),
            ("variance", number("sample variance over the traces, ns squared")),
            ("slowest", number("mean over the slowest hundredth of the traces, ns")),
        ],
        &[],
    );
    let split = object(
        &[
            ("arm", letter("arm")),
            ("round", whole("round, from 1")),
            ("phase", whole("index of the phase")),
            ("journey", text("journey name")),
            ("n", whole("traces behind it")),
            ("mean", number("mean length of their roots, ns; the parts' means add up to it")),
            ("slowest", number("mean length of the slowest hundredth, ns")),
            ("parts", list(of("part"), "the parts, largest mean first")),
        ],
        &[],
    );
    vec![
        ("class", class),
        ("span", span),
        ("segment", segment),
        ("trace", trace),
        ("part", part),
        ("split", split),
    ]
}
