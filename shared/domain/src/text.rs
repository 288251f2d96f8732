//! Texts that callers write: the form in which each kind of text is kept, and what may not be in it.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};

use crate::fault::Rule;

/// A kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The name of a person or a thing.
    Name,
    /// Text of several lines, such as a description.
    Prose,
    /// The path of an HTTP trigger.
    Endpoint,
    /// An email address.
    Email,
}

/// U+200C ZERO WIDTH NON-JOINER and U+200D ZERO WIDTH JOINER: several scripts and emoji need them within words.
const JOINERS: [char; 2] = ['\u{200c}', '\u{200d}'];
/// U+FE0E and U+FE0F say whether the character before them is shown as text or as an emoji.
const SELECTORS: [char; 2] = ['\u{fe0e}', '\u{fe0f}'];
/// U+2800 BRAILLE PATTERN BLANK: a symbol to Unicode, and nothing to see.
const BLANK: char = '\u{2800}';

impl Form {
    /// The form that a schema names: `name`, `prose`, `endpoint`, `email`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "name" => Some(Self::Name),
            "prose" => Some(Self::Prose),
            "endpoint" => Some(Self::Endpoint),
            "email" => Some(Self::Email),
            _ => None,
        }
    }

    /// The text as it is kept. What has that form already is not copied.
    pub fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Name | Self::Email => name(text),
            Self::Prose => Cow::Borrowed(text),
            Self::Endpoint => endpoint(text),
        }
    }

    /// The rule that a text breaks which has this form.
    pub fn broken(self, text: &str) -> Option<Rule> {
        let mut characters = text.chars();
        match self {
            Self::Name => match invisible(text) {
                Some(c) => Some(Rule::NameCharacter(c)),
                None if !text.is_empty() && !characters.any(is_visible) => Some(Rule::VisibleName),
                None => None,
            },
            Self::Prose => characters
                .find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
                .map(Rule::ProseCharacter),
            Self::Endpoint => None,
            Self::Email => (invisible(text).is_some() || !is_email(text)).then_some(Rule::Email),
        }
    }
}

/// Whether it has the shape of an email address. Only a mail that arrives tells whether it is one, and none is sent.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let labels_are_there = domain.contains('.') && domain.split('.').all(|label| !label.is_empty());
    !local.is_empty() && !domain.contains('@') && labels_are_there && !text.contains(char::is_whitespace)
}

/// A name as it is kept: trimmed, and in Unicode's normal form C.
pub fn name(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text.trim())
}

/// What two names have in common that count as the same: `Straße` and `STRASSE`, `é` however it is written, and those that
/// differ by what is hardly seen: joiners, selectors, and which and how many spaces are between two words.
pub fn name_key(name: &str) -> String {
    let seen: String = name.chars().filter(|c| !JOINERS.contains(c) && !SELECTORS.contains(c)).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    let words = words.join(" ");
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(&words);
    let folded = CaseMapper::new().fold_string(&decomposed);
    ComposingNormalizerBorrowed::new_nfc().normalize(&folded).into_owned()
}

/// An endpoint as it is kept: with a slash before it, and none after it.
fn endpoint(text: &str) -> Cow<'_, str> {
    // More than one slash is an empty segment, which stays to be found.
    let trimmed = text.strip_suffix('/').filter(|rest| !rest.ends_with('/')).unwrap_or(text);
    match trimmed.starts_with('/') {
        true => Cow::Borrowed(trimmed),
        false => Cow::Owned(format!("/{trimmed}")),
    }
}

/// The first character of a name that may not be there: one that nobody sees, or that changes how others are shown.
fn invisible(name: &str) -> Option<char> {
    let mut before = None;
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let follows = before.is_some_and(is_seen);
        let mut is_between = || follows && characters.peek().is_some_and(|&next| is_seen(next));
        let allowed = match c {
            _ if SELECTORS.contains(&c) => follows,
            _ if JOINERS.contains(&c) => is_between(),
            BLANK => true,
            _ => is_seen(c) || category(c) == GeneralCategory::SpaceSeparator,
        };
        if !allowed {
            return Some(c);
        }
        // An emoji with its selector may be joined to another.
        if !SELECTORS.contains(&c) {
            before = Some(c);
        }
    }
    None
}

/// Whether a character, or the mark that it puts on another, is seen.
fn is_seen(c: char) -> bool {
    is_visible(c) || (GeneralCategoryGroup::Mark.contains(category(c)) && !is_ignorable(c))
}

/// Whether a character is seen by itself.
fn is_visible(c: char) -> bool {
    let visible = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    visible.contains(category(c)) && !is_ignorable(c) && c != BLANK
}

/// Whether fonts show nothing for it: fillers and the like, which Unicode counts as letters or marks.
fn is_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_good(text: &str) -> bool {
        Form::Name.broken(&name(text)).is_none()
    }

    #[test]
    fn names_that_people_give_are_taken() {
        for good in [
            "a",
            "Hello World",
            "한글",
            "日本語\u{3000}名",
            "Ünï",
            "e\u{301}",
            "نیم\u{200c}فاصله",
            "क्\u{200d}ष",
            "👩\u{200d}💻",
            "❤\u{fe0f}",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "🇰🇷",
            "€ + 1 (two)",
            "שלום",
        ] {
            assert!(is_good(good), "{good:?}: {:?}", Form::Name.broken(&name(good)));
        }
    }

    #[test]
    fn names_that_nobody_sees_or_that_mislead_are_refused() {
        for bad in [
            "a\0b",
            "a\nb",
            "a\tb",
            "a\u{7f}",
            "a\u{85}b",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{200e}a",
            "a\u{61c}b",
            "\u{200b}",
            "a\u{200b}b",
            "a\u{feff}b",
            "a\u{2060}b",
            "\u{200d}",
            "a\u{200d}",
            "\u{200c}a",
            "a \u{200d}b",
            "a\u{200d}\u{200d}b",
            "\u{fe0f}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{ffa0}",
            "\u{2800}",
            "\u{ad}a",
            "a\u{34f}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\u{e0061}",
            "\u{301}",
            "a\u{378}",
            "a\u{fffe}",
            "a\u{e000}",
        ] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }

    /// What is allowed was said, so everything else is refused: here the whole space is walked.
    #[test]
    fn no_control_or_invisible_character_is_taken_anywhere() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| !c.is_whitespace()) {
            let forbidden = matches!(
                category(c),
                GeneralCategory::Control
                    | GeneralCategory::Format
                    | GeneralCategory::LineSeparator
                    | GeneralCategory::ParagraphSeparator
                    | GeneralCategory::Unassigned
                    | GeneralCategory::PrivateUse
            ) || is_ignorable(c);
            let excepted = JOINERS.contains(&c) || SELECTORS.contains(&c);
            let text = format!("a{c}b");
            assert_eq!(invisible(&text).is_some(), forbidden && !excepted, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn names_are_kept_in_one_form_and_compared_without_case() {
        assert_eq!(name("  e\u{301} "), "é");
        for (one, other) in [
            ("Blog", "bLOG"),
            ("Straße", "STRASSE"),
            ("ΣΑΣ", "σας"),
            ("é", "E\u{301}"),
            ("ŉ", "ʼn"),
            ("ﬁ", "FI"),
            ("\u{1e9e}", "ss"),
            ("\u{3a9}", "\u{2126}"),
            ("pay", "pa\u{200d}y"),
            ("pay", "pay\u{fe0f}"),
            ("my ws", "my\u{a0}\u{2003} ws"),
        ] {
            assert_eq!(name_key(one), name_key(other), "{one} {other}");
        }
        assert_ne!(name_key("a"), name_key("ä"));
    }

    #[test]
    fn prose_has_lines_and_no_other_control_characters() {
        assert_eq!(Form::Prose.broken("a\r\n\tb\u{200b}"), None);
        assert!(Form::Prose.broken("a\0").is_some() && Form::Prose.broken("\u{1b}[31m").is_some());
    }

    #[test]
    fn endpoints_begin_with_a_slash_and_end_without() {
        for (written, kept) in
            [("a", "/a"), ("/a", "/a"), ("a/b/", "/a/b"), ("/", "/"), ("", "/"), ("/a//", "/a//")]
        {
            assert_eq!(Form::Endpoint.apply(written), kept, "{written}");
        }
    }

    #[test]
    fn email_addresses_have_one_at_and_a_dot_in_the_domain() {
        let fault = |text: &str| Form::Email.broken(&Form::Email.apply(text));
        for good in ["ada@example.com", " a.b+c@x.y ", "김@예시.한국", "\"odd'\"@sub.example.org"] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "@",
            "ada",
            "ada@example",
            "@example.com",
            "a@b@c.d",
            "a@.com",
            "a@b.",
            "a@b..c",
            "a b@c.d",
            "a\0@b.c",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
        assert_eq!(Form::Email.apply(" Ada@Example.com "), "Ada@Example.com");
    }

    proptest! {
        #[test]
        fn forms_are_stable(text in "\\PC{0,20}|.{0,20}") {
            let kept = name(&text).into_owned();
            prop_assert_eq!(&name(&kept), &kept);
            let key = name_key(&text);
            prop_assert_eq!(name_key(&key), key.clone());
            prop_assert_eq!(name_key(&kept), key);
        }

        #[test]
        fn case_makes_no_difference(text in "[a-zA-Zà-þÀ-Þα-ωΑ-Ωа-яА-Яß]{1,20}") {
            prop_assert_eq!(name_key(&text.to_lowercase()), name_key(&text));
            prop_assert_eq!(name_key(&text.to_uppercase()), name_key(&text));
        }
    }
}
