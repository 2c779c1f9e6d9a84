//! The dashboard seen from outside: screens, keys, clicks, text and bytes of one synthetic run.

mod endings;
mod fixture;
mod keys;
mod mouse;
mod reasons;
mod screens;
mod shots;
mod simulated;
mod sizes;
mod still;
mod terminal;
mod terms;
mod text;
mod tmux;
