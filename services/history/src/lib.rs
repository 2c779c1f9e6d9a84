//! What happened before the run began: the facts from which every component's tables are loaded in bulk.
