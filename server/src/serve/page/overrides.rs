//! Overrides from the page: who is asking, what was proposed, a proposal, and the second person's answer.
//!
//! The calls are those of `CloseService`, with its checks. What changes something is taken only as JSON that a page of
//! this service sent: a browser asks before it sends that across origins, and is not answered.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::routing::{get, post};
use axum::{Extension, Router};
use closemark_data::date;
use closemark_pricing::Price;
use closemark_proto::v1;
use closemark_proto::v1::close_service_server::CloseService;
use serde::Deserialize;
use serde_json::{Value, json};
use tonic::{Code, Request, Status};

use super::{Answer, Shared, answer, values};
use crate::serve::closes::Closes;
use crate::serve::errors;
use crate::serve::names;
use crate::serve::security::Caller;
use crate::serve::state::Service;

/// Overrides that one list gives.
const LISTED_MAX: i32 = 500;
/// Longest body.
const BODY_BYTES_MAX: usize = 1 << 14;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/who", get(who))
        .route("/api/v1/dates/{date}/overrides", get(list))
        .route("/api/v1/override/dates/{date}/runs/{run}/marks/{symbol}", post(propose))
        .route("/api/v1/override/dates/{date}/overrides/{id}", post(reply))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn who(State(service): State<Arc<Service>>, Extension(caller): Extension<Caller>) -> Answer {
    let roles: Vec<&str> = caller.roles.iter().map(|role| role.as_str()).collect();
    Ok(private(&json!({
        "name": *caller.name, "anonymous": caller.is_anonymous(), "roles": roles, "names": service.access.knows_names(),
    })))
}

async fn list(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Path(day): Path<String>,
) -> Answer {
    let asked =
        v1::ListOverridesRequest { parent: format!("dates/{day}"), page_size: LISTED_MAX, page_token: String::new() };
    let found = Closes(service).list_overrides(of(asked, caller)).await?.into_inner();
    let all: Vec<Value> = found.overrides.into_iter().map(shown).collect();
    Ok(private(&json!({"date": day, "overrides": all, "more": !found.next_page_token.is_empty()})))
}

/// The body of a proposal.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposal {
    /// Currency per share, as decimal text.
    mark: String,
    multiplier: u32,
    currency: String,
    reason: String,
    request_id: String,
}

async fn propose(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Path((day, run, symbol)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let proposal: Proposal = read(&uri, &headers, &body)?;
    let day = names::date("date", &day)?;
    let mark = proposal.mark.trim().parse::<f64>().ok().and_then(Price::nearest);
    let mark = mark.filter(|mark| (Price::ZERO..=Price::INPUT_MAX).contains(mark));
    let mark = mark.ok_or_else(|| errors::bad_field("mark", &proposal.mark, "a price from 0 to 10,000,000"))?;
    let asked = v1::OverrideMarkRequest {
        parent: format!("dates/{}/runs/{run}", date::to_text(day)),
        osi_symbol: symbol,
        mark: Some(v1::Decimal { micros: mark.micros() }),
        multiplier: proposal.multiplier,
        currency: proposal.currency,
        reason: proposal.reason,
        request_id: proposal.request_id,
    };
    let entered = Closes(service).override_mark(of(asked, caller)).await?.into_inner();
    Ok(private(&shown(entered)))
}

/// The body of an answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    approve: bool,
    reason: String,
    request_id: String,
}

async fn reply(
    State(service): State<Arc<Service>>,
    Extension(caller): Extension<Caller>,
    Path((day, id)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let Reply { approve, reason, request_id } = read(&uri, &headers, &body)?;
    let name = format!("dates/{day}/overrides/{id}");
    let asked = v1::ApproveOverrideRequest { name, approve, reason, request_id };
    let entered = Closes(service).approve_override(of(asked, caller)).await?.into_inner();
    Ok(private(&shown(entered)))
}

/// A call of the caller who was found before this handler.
fn of<T>(message: T, caller: Caller) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

/// JSON that a page of this service sent.
fn read<T: for<'a> Deserialize<'a>>(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<T, Status> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(errors::bad_field("content-type", kind, "application/json"));
    }
    // HTTP/2 says the host in the address.
    let host = text(header::HOST).or_else(|| uri.authority().map(|authority| authority.as_str()));
    let elsewhere = match text(header::ORIGIN) {
        Some(origin) => host.is_none() || origin.split_once("://").map(|(_, host)| host) != host,
        None => headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin"),
    };
    if elsewhere {
        let message = "a page of another origin may not change marks";
        return Err(errors::error(Code::PermissionDenied, "OTHER_ORIGIN", message, &[]));
    }
    serde_json::from_slice(body)
        .map_err(|error| errors::bad_field("body", &error.to_string(), "the fields of this call"))
}

fn shown(one: v1::Override) -> Value {
    let id = one.name.rsplit('/').next().unwrap_or_default().to_owned();
    let text = |text: String| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "id": id, "osi_symbol": one.osi_symbol, "mark": one.mark.map(|mark| values::micros(mark.micros)),
        "multiplier": one.multiplier, "currency": one.currency, "state": one.state, "author": one.author,
        "approver": text(one.approver), "reason": one.reason, "answer": text(one.answer), "run": one.run_id,
    })
}

/// What depends on the caller is kept by nobody.
fn private(body: &Value) -> axum::response::Response {
    let mut response = answer(body, false);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
    use serde_json::Value;
    use tonic::Code;

    use super::read;

    fn asked(uri: &'static str, headers: &[(&'static str, &'static str)]) -> Result<Value, Code> {
        let all: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        read(&Uri::from_static(uri), &all, b"{}").map_err(|status| status.code())
    }

    #[test]
    fn only_json_of_this_origin_changes_anything() {
        let json = ("content-type", "application/json; charset=utf-8");
        // HTTP/1.1 and HTTP/2, from the page and from programs.
        for (uri, headers) in [
            ("/x", &[json, ("host", "h:1"), ("origin", "https://h:1")][..]),
            ("https://h:1/x", &[json, ("origin", "https://h:1")][..]),
            ("/x", &[json, ("host", "h:1"), ("sec-fetch-site", "same-origin")][..]),
            ("/x", &[json][..]),
        ] {
            assert!(asked(uri, headers).is_ok(), "{headers:?}");
        }
        for (uri, headers) in [
            ("/x", &[json, ("host", "h:1"), ("origin", "https://h:2")][..]),
            ("/x", &[json, ("host", "h:1"), ("origin", "null")][..]),
            ("/x", &[json, ("origin", "https://h:1")][..]),
            ("/x", &[json, ("host", "h:1"), ("sec-fetch-site", "cross-site")][..]),
        ] {
            assert_eq!(asked(uri, headers), Err(Code::PermissionDenied), "{headers:?}");
        }
        assert_eq!(asked("/x", &[("content-type", "text/plain")]), Err(Code::InvalidArgument));
        assert_eq!(asked("/x", &[]), Err(Code::InvalidArgument));
    }
}
