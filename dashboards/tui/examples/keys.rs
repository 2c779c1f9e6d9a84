//! Prints the table of keys as docs/keys.md has it: `cargo run -p tui --example keys > docs/keys.md`.

fn main() {
    print!("{}", tui::keymap::markdown());
}
