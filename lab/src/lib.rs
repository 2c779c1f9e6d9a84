//! The program cleave.
