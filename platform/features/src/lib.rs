//! One feature set for every selection of packages: the manifest is all there is.
