//! The dashboard seen from outside: screens, text, keys and bytes of one synthetic run.

mod fixture;
mod keys;
mod screens;
mod terminal;
mod text;
