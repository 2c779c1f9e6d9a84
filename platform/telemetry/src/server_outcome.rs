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

    /// The same for an answer that came too late (504), where it is not for the component to be in time: the client has given the
    /// request less time than it would have had. `is_excused` is asked of a late answer alone.
    #[must_use]
    pub fn excused_if_late(self, is_excused: impl FnOnce() -> bool) -> Self {
        let is_late = self.status == 504;
        Self { is_failure: self.is_failure && !(is_late && is_excused()), ..self }
    }

    /// `error.type` of its span and its metrics.
    pub fn error_type(self) -> Option<String> {
        self.is_failure.then(|| self.status.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, is_excused: bool, error_type: Option<&str>) {
        let outcome = ServerOutcome::of(status).excused_if_late(|| is_excused);
        assert_eq!(outcome.status, status, "whatever it counts as");
        assert_eq!(outcome.error_type().as_deref(), error_type, "{status}");
    }

    #[test]
    fn of_failures_only_a_late_answer_is_excused() {
        check(504, false, Some("504"));
        check(504, true, None);
        check(503, true, Some("503"));
        check(200, true, None);
        check(404, false, None);
    }
}
