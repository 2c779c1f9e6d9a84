//! The photo component.
