//! What is wrong with an input: where, and which rule it breaks. How that is told is for each API document to say; its
//! crate turns a [`Fault`] into its own names and words.

use crate::function::CodeFault;

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Where.
    pub field: Field,
    /// What it should be and isn't.
    pub rule: Rule,
}

impl Fault {
    /// A fault in this place.
    pub fn new(field: impl Into<Field>, rule: Rule) -> Self {
        Self { field: field.into(), rule }
    }
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// In the request as it came: the way from the part to the value, which is the part as a whole without any step.
    Request(Part, Vec<Step>),
    /// In what a use case was asked to store, whatever the API calls it.
    Attribute(Attribute),
}

impl Field {
    /// A field of the body.
    pub fn body(name: &str) -> Self {
        Self::Request(Part::Body, vec![name.into()])
    }

    /// A parameter of the query.
    pub fn query(name: &str) -> Self {
        Self::Request(Part::Query, vec![name.into()])
    }

    /// A header, by its name in lower case.
    pub fn header(name: &str) -> Self {
        Self::Request(Part::Header, vec![name.into()])
    }

    /// The field of the body that this is, or is in.
    pub fn name_in_body(&self) -> Option<&str> {
        match self {
            Self::Request(Part::Body, steps) => match steps.first()? {
                Step::Name(name) => Some(name),
                Step::Index(_) => None,
            },
            _ => None,
        }
    }
}

impl From<Part> for Field {
    fn from(part: Part) -> Self {
        Self::Request(part, Vec::new())
    }
}

impl From<Attribute> for Field {
    fn from(attribute: Attribute) -> Self {
        Self::Attribute(attribute)
    }
}

/// A part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The body.
    Body,
    /// The path's parameters.
    Path,
    /// The query's parameters.
    Query,
    /// The headers.
    Header,
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To a field or a parameter.
    Name(String),
    /// To a place in a list, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// What use cases find faults in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The source of a function.
    Code,
    /// All the environment variables of a function.
    Environment,
    /// The environment variable of this name.
    Variable(String),
    /// The number of a function's version.
    Version,
}

/// What an input should be. A variant holds what a message about it needs, and nothing of the input that isn't safe to
/// show.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// It has to be there.
    Required,
    /// It has to be of this type.
    Type(Type),
    /// Text that has to parse as a value of this type.
    Parse(Scalar),
    /// Text that has to parse as a UUID; why it doesn't.
    Uuid {
        /// What the parser said.
        reason: String,
    },
    /// A number without a fraction.
    Whole,
    /// An integer that 64 bits can hold.
    IntegerSize,
    /// At least this.
    Minimum(Bound),
    /// At most this.
    Maximum(Bound),
    /// At least so many characters.
    MinLength(usize),
    /// At most so many characters.
    MaxLength(usize),
    /// At least so many items.
    MinItems {
        /// In what.
        of: Collection,
        /// The fewest.
        min: usize,
        /// How many there are.
        count: usize,
    },
    /// At most so many items.
    MaxItems {
        /// In what.
        of: Collection,
        /// The most.
        max: usize,
        /// How many there are.
        count: usize,
    },
    /// At most so many bytes.
    MaxBytes {
        /// Of what.
        of: Content,
        /// The most.
        max: usize,
        /// How many there are.
        count: usize,
    },
    /// One of these texts.
    OneOf(Vec<String>),
    /// Text of this pattern, in words that follow "should".
    Pattern(String),
    /// JSON.
    Json {
        /// Where it stops being that, in characters.
        position: usize,
    },
    /// JSON that isn't nested deeper than this.
    JsonDepth {
        /// Where it first is, in characters.
        position: usize,
        /// The deepest.
        max: usize,
    },
    /// Text in UTF-8.
    Utf8,
    /// Code in UTF-8.
    CodeUtf8 {
        /// The first byte that isn't, from 0.
        position: usize,
    },
    /// Code in Base64; why it isn't.
    CodeBase64 {
        /// What the decoder said.
        reason: String,
    },
    /// A name without this character, the first of those in it that are not allowed.
    NameCharacter(char),
    /// Text of several lines without this character, the first of those in it that are not allowed.
    ProseCharacter(char),
    /// A name that has a character which is seen.
    VisibleName,
    /// The shape of an email address.
    Email,
    /// A name that an environment variable can have.
    VariableName,
    /// A name of an environment variable that no runtime uses itself.
    UnreservedName,
    /// A value that an environment variable can have: one without NUL.
    VariableValue,
    /// Code that runs.
    Code(CodeFault),
    /// A version whose code runs.
    VersionCode {
        /// Which.
        version: u32,
        /// Why it doesn't.
        fault: CodeFault,
    },
    /// A cursor that the same list gave to the same caller.
    Cursor,
    /// Something that can be read. Only a defect of ours breaks this rule without another.
    Readable,
}

/// A type of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A UUID in text.
    Uuid,
    /// A list.
    List,
    /// Values by any name.
    Map,
    /// Values by names that are known.
    Object,
}

/// A type whose values can be written as plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

/// A type of value that has items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collection {
    /// A list.
    List,
    /// Values by name.
    Map,
}

/// What is measured in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// The source of a function.
    Code,
    /// The environment variables of a function together.
    Environment,
    /// A password.
    Password,
}

/// An end of a range of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Of whole numbers.
    Integer(i128),
    /// Of any numbers.
    Number(f64),
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(bound) => bound.fmt(f),
            Self::Number(bound) => bound.fmt(f),
        }
    }
}
