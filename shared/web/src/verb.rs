//! Verbs after a colon (`POST /functions/{name}:invoke`), which axum's router has no word for: a parameter takes a whole
//! segment. Such a route is kept under a path of its own (`/functions/{name}/:invoke`), and a request that it answers is
//! given that path before it is routed.

/// A path that ends with a parameter and a verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verb {
    /// All segments before the verb, the last one the parameter.
    segments: Vec<String>,
    /// Without its colon.
    name: String,
}

impl Verb {
    /// Of a path as a route's annotation writes it; `None` where it has no verb.
    pub(crate) fn of(written: &str) -> Option<Self> {
        let (path, name) =
            written.rsplit_once("}:").filter(|(_, name)| !name.is_empty() && !name.contains('/'))?;
        let mut segments: Vec<_> = path.split('/').map(str::to_owned).collect();
        segments.last_mut()?.push('}');
        Some(Self { segments, name: name.to_owned() })
    }

    /// The path that the route is kept under.
    pub(crate) fn path(&self) -> String {
        format!("{}/:{}", self.segments.join("/"), self.name)
    }

    /// Whether a path without its verb is of this form.
    fn matches(&self, path: &str) -> bool {
        let mut given = path.split('/');
        let all = self.segments.iter().all(|segment| match given.next() {
            Some(given) if segment.starts_with('{') => !given.is_empty(),
            given => given == Some(segment),
        });
        all && given.next().is_none()
    }
}

/// The path to route a request by that came with this one; `None` where that is the same.
pub(crate) fn routed(path: &str, verbs: &[Verb]) -> Option<String> {
    let (before, last) = path.rsplit_once('/')?;
    let (name, verb) = last.rsplit_once(':')?;
    if name.is_empty() {
        // As nobody may write it, or there were two ways to call the same thing.
        return (!verbs.is_empty()).then(|| format!("{before}/%3A{verb}"));
    }
    let path = &path[..path.len() - verb.len() - 1];
    let known = verbs.iter().any(|known| known.name == verb && known.matches(path));
    known.then(|| format!("{path}/:{verb}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_verb_after_its_last_parameter() {
        let verb = Verb::of("/v1/functions/{name}:invoke").unwrap();
        assert_eq!(verb.path(), "/v1/functions/{name}/:invoke");
        for none in ["/", "/functions/{name}", "/functions/{name}:", "/{a}:b/{c}", "/a:b", "/{*rest}"] {
            assert_eq!(Verb::of(none), None, "{none}");
        }
    }

    #[test]
    fn a_request_is_routed_by_its_verb_where_there_is_a_route() {
        let verbs: Vec<_> =
            ["/functions/{name}:invoke", "/a/{b}/c/{d}:stop"].map(|path| Verb::of(path).unwrap()).into();
        for (path, routed_by) in [
            ("/functions/f:invoke", Some("/functions/f/:invoke")),
            // The last colon is the verb's.
            ("/functions/a:b:invoke", Some("/functions/a:b/:invoke")),
            ("/a/1/c/2:stop", Some("/a/1/c/2/:stop")),
            ("/functions/f", None),
            ("/functions/f:stop", None),
            ("/functions/f%3Ainvoke", None),
            ("/functions/f:invoke/x", None),
            ("/functions/x/f:invoke", None),
            ("/run/functions/f:invoke", None),
            ("/run/w/f:invoke", None),
            ("/a//c/2:stop", None),
            ("/:invoke", Some("/%3Ainvoke")),
            ("/functions/f/:invoke", Some("/functions/f/%3Ainvoke")),
        ] {
            assert_eq!(routed(path, &verbs).as_deref(), routed_by, "{path}");
            assert_eq!(routed(path, &[]), None, "{path}");
        }
    }
}
