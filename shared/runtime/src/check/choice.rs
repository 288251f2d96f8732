//! Which function of a source is its handler: the same rule in both languages.

use domain::function::{CodeFault, Handler};

use super::at;

/// The names that make a function the handler, the first that is there.
const NAMES: [&str; 3] = ["handler", "lambda_handler", "main"];
/// How many candidates an error names.
const NAMED: usize = 10;

/// What is known of how a function can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// With an event, or an event and a context: its parameters are called so.
    Event,
    /// With as many arguments.
    AsMany,
    /// It is a function of some other number of parameters, in a language that doesn't mind.
    Others,
    /// Only running the code can tell; perhaps it is no function.
    Unknown,
    /// Not with an event and a context; why not.
    Not(String),
}

/// Something with a name, at the top of a source.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) name: &'a str,
    /// Where it is defined, as a byte of the source.
    pub(super) offset: usize,
    pub(super) takes: Takes,
    /// Whether it is to be exported before it can be called.
    pub(super) local: bool,
}

/// What there is to choose from.
#[derive(Debug, Default)]
pub(super) struct Offer<'a> {
    /// Of two with one name, the later one counts.
    pub(super) candidates: Vec<Candidate<'a>>,
    /// Whether the module as a whole is a function.
    pub(super) whole: bool,
    /// Whether the code may well define a `handler` in a way that can't be read off it.
    pub(super) dynamic: bool,
    /// Whether it just may.
    pub(super) vague: bool,
}

impl<'a> Offer<'a> {
    fn named(&self, name: &str) -> Option<&Candidate<'a>> {
        // What is exported comes before what is not.
        let named = || self.candidates.iter().rev().filter(|candidate| candidate.name == name);
        named().find(|candidate| !candidate.local).or_else(|| named().next())
    }

    /// The handler, or why there is none. `expected` says how one is written.
    pub(super) fn choose(self, source: &str, expected: &str) -> Result<Handler, CodeFault> {
        let mut unfit = None;
        for candidate in NAMES.iter().filter_map(|name| self.named(name)) {
            match &candidate.takes {
                Takes::Not(why) => {
                    let fault = at(source, candidate.offset, why.as_str());
                    if candidate.name == NAMES[0] {
                        return Err(fault);
                    }
                    unfit.get_or_insert(fault);
                }
                _ => return Ok(handler(candidate)),
            }
        }
        if self.whole {
            return Ok(Handler::named("default"));
        }
        if self.dynamic {
            return Ok(Handler::default());
        }
        let all = self.functions();
        let of_events: Vec<_> = all.iter().filter(|candidate| candidate.takes == Takes::Event).collect();
        let only = match (of_events.as_slice(), all.as_slice()) {
            ([only], _) => Some(*only),
            (_, [only]) => Some(only),
            _ => None,
        };
        if let Some(only) = only {
            return Ok(handler(only));
        }
        if self.vague {
            return Ok(Handler::default());
        }
        let Some(first) = all.first() else {
            return Err(unfit.unwrap_or_else(|| at(source, 0, expected)));
        };
        let mut names: Vec<_> = all.iter().take(NAMED).map(|one| format!("`{}`", one.name)).collect();
        if all.len() > NAMED {
            names.push(format!("{} more", all.len() - NAMED));
        }
        let last = names.pop().unwrap_or_default();
        let message = format!(
            "There is no `handler`, and several functions could be it: {} and {last}. Name one of them `handler`",
            names.join(", ")
        );
        Err(at(source, first.offset, message))
    }

    /// The functions that can be called with an event, each name once, in the order of the source. One whose name begins
    /// with an underscore is its module's own.
    fn functions(&self) -> Vec<Candidate<'a>> {
        let mut found: Vec<Candidate<'a>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for candidate in &self.candidates {
            if candidate.name.starts_with('_') || !seen.insert(candidate.name) {
                continue;
            }
            let Some(last) = self.named(candidate.name) else { continue };
            if matches!(last.takes, Takes::Event | Takes::AsMany) {
                found.push(last.clone());
            }
        }
        found.sort_by_key(|candidate| candidate.offset);
        found
    }
}

fn handler(candidate: &Candidate<'_>) -> Handler {
    Handler { name: candidate.name.to_owned(), local: candidate.local }
}
