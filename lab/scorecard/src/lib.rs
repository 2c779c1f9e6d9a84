//! From windows to measures, expectations and a verdict. Pure.
