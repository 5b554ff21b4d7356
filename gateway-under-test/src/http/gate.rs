//! The gate in front of everything that changes a PLC or shows the gateway's inside.

use axum::http::{HeaderMap, StatusCode, header};
use subtle::ConstantTimeEq as _;

use super::HttpSide;
use super::refusal::Refusal;
use crate::config::Secret;

const NO_TOKEN: &str = "send the header `Authorization: Bearer TOKEN` with the gateway's token";
const WRONG_TOKEN: &str = "this is not the gateway's token";
const CLOSED: &str = "refused, since anyone could reach this gateway: set `http.token` or `http.token_file`, or listen on 127.0.0.1";
const FOREIGN_PAGE: &str = "refused to a page of another site: without a token only this machine's own may";

/// Lets a request in that has the token; without a token configured, one that can only come from this machine.
pub fn admit(side: &HttpSide, headers: &HeaderMap) -> Result<(), Refusal> {
    let credentials = side.credentials();
    match &credentials.token {
        Some(token) => has_token(token, headers),
        None if !side.loopback => Err(Refusal::unread(StatusCode::FORBIDDEN, CLOSED)),
        None => same_site(headers),
    }
}

fn has_token(token: &Secret, headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |why| Err(Refusal::unread(StatusCode::UNAUTHORIZED, why));
    match bearer(headers) {
        None => refused(NO_TOKEN),
        Some(found) if is_same(found, token.expose()) => Ok(()),
        Some(_) => refused(WRONG_TOKEN),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Takes as long whatever the first wrong character is; that the lengths differ may be known.
fn is_same(found: &str, token: &str) -> bool {
    found.as_bytes().ct_eq(token.as_bytes()).into()
}

/// A browser on this machine may show anyone's page: such a request names the page's site, which is not ours.
fn same_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return Ok(()) };
    let site = origin.split_once("://").map(|(_scheme, site)| site);
    if site.is_some() && site == text(header::HOST) {
        return Ok(());
    }
    Err(Refusal::unread(StatusCode::FORBIDDEN, FOREIGN_PAGE))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Secret::new("open-sesame");
        let ask = |value| has_token(&token, &headers(&[(header::AUTHORIZATION, value)]));
        assert_eq!(ask("Bearer open-sesame"), Ok(()));
        assert_eq!(ask("bearer open-sesame"), Ok(()));
        for wrong in ["Bearer ", "Bearer open-sesam", "Bearer open-sesames", "Bearer Open-sesame"] {
            assert_eq!(ask(wrong).map_err(|refusal| refusal.why), Err(WRONG_TOKEN.to_owned()), "{wrong}");
        }
        for none in ["open-sesame", "Basic open-sesame"] {
            assert!(ask(none).is_err(), "{none}");
        }
        assert_eq!(
            has_token(&token, &HeaderMap::new()).map_err(|refusal| refusal.why),
            Err(NO_TOKEN.to_owned())
        );
    }

    #[test]
    fn a_page_of_another_site_is_not_let_in_by_a_browser_on_this_machine() {
        let host = (header::HOST, "127.0.0.1:8080");
        let from = |origin| same_site(&headers(&[host.clone(), (header::ORIGIN, origin)]));
        assert_eq!(from("http://127.0.0.1:8080"), Ok(()));
        assert_eq!(same_site(&headers(std::slice::from_ref(&host))), Ok(()));
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:9090"] {
            assert!(from(foreign).is_err(), "{foreign}");
        }
    }
}
