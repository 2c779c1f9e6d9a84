//! How to leave, and what becomes of the run.

use super::{Cmd, quit};
use crate::Quit;
use crate::keymap::Action;
use crate::model::{Model, Over};

pub(super) fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Quit if !model.is_over() => {
            model.over = Over::Leave;
            vec![Cmd::Draw]
        }
        Action::Detach => vec![Cmd::Leave(true)],
        Action::Interrupt if !model.guest => {
            let again = std::mem::replace(&mut model.interrupted, true);
            match again {
                true => vec![quit(Quit::AtOnce), Cmd::Leave(false)],
                // The run ends in order, which takes a moment: the screen stays and shows it.
                false => vec![quit(Quit::Interrupt), Cmd::Draw],
            }
        }
        Action::Abort => vec![quit(Quit::Asked), Cmd::Leave(false)],
        // Somebody else's run, or one that is ending anyway, is left alone.
        _ => vec![Cmd::Leave(false)],
    }
}
