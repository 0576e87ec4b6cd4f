//! Whether a caller without credentials is who its address says.
//!
//! On loopback the address stands for a name. It does so no longer where a proxy on this host speaks for somebody else,
//! and where a browser on this host speaks for a page from somewhere: a name of that page's server may point here (DNS
//! rebinding), so that the browser takes this service for the page's own.

use std::net::IpAddr;

use http::{HeaderMap, Request, header};

/// What proxies say of whom they speak for.
const FORWARDING: [&str; 6] =
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"];

/// Why the address stands for nobody; `None` where it does.
pub(super) fn doubt<B>(request: &Request<B>, grpc: bool) -> Option<&'static str> {
    let headers = request.headers();
    if headers.keys().any(|name| FORWARDING.contains(&name.as_str())) {
        return Some("the call came through a proxy");
    }
    // Browsers alone send it, and always where it matters.
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = origin.to_str().ok().and_then(|text| text.split_once("://")).map(|(_, host)| host);
        if !host.is_some_and(is_local) {
            return Some("a page from somewhere else makes the call");
        }
    }
    // A program names the server as it likes; a browser names the one that it takes this for.
    if !grpc && !host(request.uri(), headers).is_some_and(|host| is_local(&host)) {
        return Some("the call is for another host's name");
    }
    None
}

fn host(uri: &http::Uri, headers: &HeaderMap) -> Option<String> {
    let named = uri.authority().map(|authority| authority.as_str().to_owned());
    named.or_else(|| headers.get(header::HOST)?.to_str().ok().map(ToOwned::to_owned))
}

/// Whether a host with or without its port is this one by a name that nobody else can give.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::doubt;

    #[test]
    fn an_address_stands_for_a_caller_only_where_nobody_speaks_for_another() {
        for (headers, grpc, believed) in [
            (&[("host", "127.0.0.1:50151")][..], false, true),
            (&[("host", "localhost")], false, true),
            (&[("host", "[::1]:50151"), ("origin", "http://[::1]:50151")], false, true),
            (&[("host", "LOCALHOST:1"), ("origin", "https://localhost:1")], false, true),
            (&[], false, false),
            (&[("host", "evil.example:50151")], false, false),
            (&[("host", "localhost.evil.example")], false, false),
            (&[("host", "127.0.0.1.evil.example")], false, false),
            (&[("host", "192.0.2.7:50151")], false, false),
            (&[("host", "localhost"), ("origin", "https://evil.example")], false, false),
            (&[("host", "localhost"), ("origin", "null")], false, false),
            (&[("host", "localhost"), ("x-forwarded-for", "192.0.2.7")], false, false),
            (&[("host", "localhost"), ("forwarded", "for=192.0.2.7")], false, false),
            // A program's calls name any host, but come through no proxy and from no page.
            (&[], true, true),
            (&[("host", "closemark.internal")], true, true),
            (&[("via", "1.1 proxy")], true, false),
            (&[("origin", "https://evil.example")], true, false),
        ] {
            let mut request = Request::builder().uri("/");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            assert_eq!(doubt(&request.body(()).unwrap(), grpc).is_none(), believed, "{headers:?}");
        }
        let named = Request::builder().uri("https://evil.example/").header("host", "localhost").body(()).unwrap();
        assert!(doubt(&named, false).is_some());
    }
}
