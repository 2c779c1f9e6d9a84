//! How a request ended where it was served, and whether that is a failure of the component.

/// What spans and metrics have of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerOutcome {
    /// Its status.
    pub status: u16,
    /// Whether the component has failed: it has an `error.type` then.
    pub is_failure: bool,
}

impl ServerOutcome {
    /// By the status alone: 5xx is the component's failure, 4xx the caller's. Source: OpenTelemetry's semantic conventions for
    /// spans of HTTP, which leave it to a component to know better.
    pub const fn of(status: u16) -> Self {
        Self { status, is_failure: status >= 500 }
    }

    /// `error.type` of its span and its metrics.
    pub fn error_type(self) -> Option<String> {
        self.is_failure.then(|| self.status.to_string())
    }
}
