//! How to leave, and what becomes of the run.

use super::{Cmd, quit};
use crate::Quit;
use crate::keymap::Action;
use crate::state::{Overlay, State};

pub(super) fn act(state: &mut State, action: Action) -> Vec<Cmd> {
    match action {
        Action::Quit if !state.is_over() => {
            state.overlay = Overlay::Leave;
            vec![Cmd::Draw]
        }
        Action::Detach => vec![Cmd::Leave(true)],
        Action::Interrupt if !state.guest && state.run.end.is_none() => {
            let again = std::mem::replace(&mut state.interrupted, true);
            match again {
                true => vec![quit(Quit::AtOnce), Cmd::Leave(false)],
                // The run ends in order, which takes a moment: the screen stays and shows it.
                false => vec![quit(Quit::Interrupt), Cmd::Draw],
            }
        }
        Action::Abort => vec![quit(Quit::InOrder), Cmd::Leave(false)],
        // A run of another program, or one that is ending anyway, goes on; one that has ended has its exit code.
        _ => vec![Cmd::Leave(false)],
    }
}
