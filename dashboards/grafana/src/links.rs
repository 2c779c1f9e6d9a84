//! From a point of a panel to the traces behind it.

use serde_json::{Value, json};

use crate::board::JAEGER;

/// Where Jaeger's own pages are, as `compose.yaml` has them.
const JAEGER_PAGES: &str = "http://127.0.0.1:16686";

/// From a point of a latency to the traces that took at least as long: those of the series' own
/// component, or of the door, which every request passes. In Grafana, and in Jaeger, where those may go
/// who may only look here.
pub(crate) fn traces_links(of_component: bool) -> Value {
    let service = if of_component { "${__field.labels.service}" } else { "gateway" };
    let pane = json!({ "cleave": {
        "datasource": JAEGER,
        "queries": [{
            "refId": "A",
            "datasource": { "type": "jaeger", "uid": JAEGER },
            "queryType": "search",
            "service": service,
            "minDuration": "${__value.raw}s",
            "limit": 20,
        }],
        "range": { "from": "${__from}", "to": "${__to}" },
    }});
    let url = format!("/explore?schemaVersion=1&panes={}", encoded(&pane.to_string()));
    // Jaeger counts in microseconds, Grafana in milliseconds.
    let page = format!(
        "{JAEGER_PAGES}/search?service={service}&minDuration=${{__value.raw}}s&lookback=custom&limit=20\
         &start=${{__from}}000&end=${{__to}}000"
    );
    json!([
        { "title": "traces that took as long", "url": url, "targetBlank": true },
        { "title": "the same in Jaeger", "url": page, "targetBlank": true },
    ])
}

/// Percent-encodes a query's value (RFC 3986, section 2.1), except Grafana's `${variables}`.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(byte) = rest.bytes().next() {
        if rest.starts_with("${")
            && let Some(end) = rest.find('}')
        {
            out.push_str(&rest[..=end]);
            rest = &rest[end + 1..];
            continue;
        }
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        rest = &rest[1..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_and_its_variables_are_not() {
        assert_eq!(encoded("{\"a\":\"${__value.raw}s\"}"), "%7B%22a%22%3A%22${__value.raw}s%22%7D");
    }
}
