//! Processes of an arm are killed, one after another, while clients write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::audit::{Accounts, audit, blobs, is_swept};
use super::processes::{Running, kill_at_once, running};
use super::writers::Ledger;
use super::{Draws, setting};
use crate::cleave::{Cleave, wait_for};
use crate::places::side_by_side;
use crate::routes::sign_up;
use crate::up::Suite;

/// Arms whose processes are started again.
const SCENARIO: &str = r#"schema = 1
name   = "kills"
title  = "Any process may die at any moment"
why    = "What was acknowledged survives it"
phases = [{ name = "steady", for = "5s" }]

[load]
rate = "5/s"
size = "tiny"

[topology.micro]
processes = { each = ["*"] }
restart   = { after = "300ms", max = 900, max_delay = "1s" }

[topology.mono]
processes = { app = ["gateway", "*"] }
restart   = { after = "300ms", max = 900, max_delay = "1s" }
"#;

/// Clients that post photos.
const WRITERS: u64 = 3;

/// Kills processes of an arm of a scenario while clients write, and audits what they were acknowledged.
pub(super) fn survive(mut cleave: Cleave, scenario: &str, arm: &str, kills: u64) {
    std::fs::write(cleave.folder().join("kills.toml"), scenario).expect("a folder of ours");
    let suite = Suite::start_with(&cleave, &format!("kills.toml:{arm}"), &[]);
    let (author, author_id) = sign_up(&suite.guest(), "author");
    let (reader, reader_id) = sign_up(&suite.guest(), "reader");
    reader.write("PUT", &format!("/v1/users/{author_id}/follow"), "follow").expect(200);
    let accounts = Accounts { author, author_id, reader, reader_id };
    let folder = cleave.folder().join("runs");
    let before = blobs(&folder);
    let ledger = Ledger::default();
    let counts = std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (ledger, author) = (&ledger, &accounts.author);
            scope.spawn(move || ledger.post_photos(author, writer));
        }
        scope.spawn(|| ledger.like_and_edit(&accounts.reader));
        let _over = EndOnDrop(&ledger);
        kill(&cleave, &ledger, arm, kills)
    });
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} of a {kind}")).collect();
    println!("{arm}: {kills} kills: {}", counts.join(", "));
    let owned = audit(&folder, &accounts, &ledger);
    println!("  {arm}: 0 lost, 0 doubled, 0 invisible once caught up");
    cleave.rest();
    is_swept(&folder, &owned, &before);
    suite.end();
}

/// Ends the writers also where a kill fails: the scope waits for them.
struct EndOnDrop<'a>(&'a Ledger);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Three of four times the next one is killed once this one is back and 4 to 19 writes have been acknowledged since; else
/// at once. Each kind is as likely as the others, however many processes there are of it. Returns the kills by kind.
fn kill(cleave: &Cleave, ledger: &Ledger, arm: &str, kills: u64) -> BTreeMap<&'static str, u64> {
    let mut draws = Draws::new(&format!("kills/{arm}"));
    let mut counts = BTreeMap::new();
    let acknowledged = || ledger.acknowledged.load(Ordering::Acquire);
    for _ in 0..kills {
        let killed = wait_for("a process to kill", || draw(&mut draws, running(cleave)));
        kill_at_once(killed.pid);
        *counts.entry(killed.kind).or_default() += 1;
        if draws.below(4) == 0 {
            continue;
        }
        let what = format!("the {} {}", killed.kind, killed.name);
        wait_for(&format!("{what} to be back"), || killed.is_replaced(cleave).then_some(()));
        let (since, more) = (acknowledged(), 4 + draws.below(16) as u64);
        wait_for(&format!("writes after the kill of {what}"), || {
            (acknowledged() >= since + more).then_some(())
        });
    }
    counts
}

/// One of the processes, of a kind that is drawn first.
fn draw(draws: &mut Draws, mut running: Vec<Running>) -> Option<Running> {
    let kinds: Vec<&str> = running.iter().map(|of| of.kind).collect::<BTreeSet<_>>().into_iter().collect();
    let kind = *kinds.get(draws.below(kinds.len().max(1)))?;
    running.retain(|of| of.kind == kind);
    Some(running.swap_remove(draws.below(running.len())))
}

#[test]
#[ignore = "kills processes for as long as it is asked to"]
fn what_was_acknowledged_survives_every_kill() {
    let kills: u64 = setting("KILLS").unwrap_or(20);
    // Most of them where there are most processes.
    let arms = [("mono", kills.div_ceil(4)), ("micro", kills - kills.div_ceil(4))];
    side_by_side(arms, |(arm, kills)| survive(Cleave::shared(), SCENARIO, arm, kills));
}
