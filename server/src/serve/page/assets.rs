//! The page's files, inside the binary, and the headers that keep the page to itself.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use closemark_data::report::{DRAW_JS, STYLE_CSS};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/serve/page/assets/"]
struct Assets;

/// Nothing but what this service serves: no other host, no inline script or style, no frame, no plug-in. Pictures are
/// saved through `blob:` images of the page's own making.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Files that are the report's own: the drawing code and its style.
const SHARED: [(&str, &str); 2] = [("draw.js", DRAW_JS), ("report.css", STYLE_CSS)];

/// A route for the document and one for each file: other paths stay with gRPC, which says UNIMPLEMENTED to them.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let embedded = Assets::iter().map(|name| name.into_owned());
    let shared = SHARED.iter().map(|(name, _)| (*name).to_owned());
    let document = router.route("/", get(|| std::future::ready(serve("index.html"))));
    embedded
        .chain(shared)
        .fold(document, |router, name| router.route(&format!("/{name}"), get(move || std::future::ready(serve(&name)))))
}

/// Whether a path is one of the page's own files, in which no data are.
pub(crate) fn is_file(path: &str) -> bool {
    let Some(name) = path.strip_prefix('/') else { return false };
    name.is_empty() || SHARED.iter().any(|(shared, _)| *shared == name) || Assets::get(name).is_some()
}

fn serve(name: &str) -> Response {
    let shared = SHARED.iter().find(|(shared, _)| *shared == name).map(|(_, text)| text.as_bytes().into());
    let Some(body) = shared.or_else(|| Assets::get(name).map(|file| file.data)) else {
        return (StatusCode::NOT_FOUND, "no such file\n").into_response();
    };
    let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
    let mut answer = body.into_owned().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Headers of every answer of the page.
pub(super) async fn guarded(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    answer
}
