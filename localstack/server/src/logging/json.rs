//! A log line as JSON: the event's fields beside its time, level and target, and the span that it happened in.
//!
//! `tracing-subscriber`'s own makes a JSON text of a span's fields and parses it again for each event; of a read of a
//! function, that was a sixth of the work.

use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events and fields.
pub(super) struct Json;

impl<S> FormatEvent<S, Json> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Json>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let about = event.metadata();
        line.write_str(r#"{"timestamp":""#)?;
        SystemTime.format_time(&mut line)?;
        line.write_str(r#"","level":""#)?;
        line.write_str(about.level().as_str())?;
        line.write_str("\",")?;
        let mut fields = Fields::new(&mut line);
        event.record(&mut fields);
        fields.field("target", |value| quoted(value, about.target()));
        fields.done?;
        if let Some(span) =
            event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current())
        {
            line.write_str(r#","span":{"#)?;
            if let Some(fields) = span.extensions().get::<FormattedFields<Self>>()
                && !fields.is_empty()
            {
                line.write_str(fields)?;
                line.write_char(',')?;
            }
            line.write_str(r#""name":"#)?;
            quoted(&mut line, span.name())?;
            line.write_char('}')?;
        }
        line.write_str("}\n")
    }
}

impl<'w> FormatFields<'w> for Json {
    /// What stands between an object's braces.
    fn format_fields<R: RecordFields>(&self, mut text: Writer<'w>, fields: R) -> fmt::Result {
        let mut visitor = Fields::new(&mut text);
        fields.record(&mut visitor);
        visitor.done
    }

    fn add_fields(&self, known: &'w mut FormattedFields<Self>, new: &Record<'_>) -> fmt::Result {
        let mut visitor = Fields { any: !known.is_empty(), ..Fields::new(&mut known.fields) };
        new.record(&mut visitor);
        visitor.done
    }
}

/// Writes fields, with commas between them.
struct Fields<'a> {
    text: &'a mut dyn Write,
    any: bool,
    done: fmt::Result,
}

impl<'a> Fields<'a> {
    fn new(text: &'a mut dyn Write) -> Self {
        Self { text, any: false, done: Ok(()) }
    }

    fn field(&mut self, name: &str, value: impl FnOnce(&mut dyn Write) -> fmt::Result) {
        if self.done.is_ok() {
            let comma = if std::mem::replace(&mut self.any, true) { "," } else { "" };
            self.done = self.text.write_str(comma).and_then(|()| {
                quoted(self.text, name.strip_prefix("r#").unwrap_or(name))?;
                self.text.write_char(':')?;
                value(self.text)
            });
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field.name(), |text| {
            text.write_char('"')?;
            write!(Escaped(text), "{value:?}")?;
            text.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), |text| quoted(text, value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field.name(), |text| text.write_str(if value { "true" } else { "false" }));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field.name(), |text| write!(text, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field.name(), |text| write!(text, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinities.
        self.field(field.name(), |text| match value.is_finite() {
            true => write!(text, "{value}"),
            false => text.write_str("null"),
        });
    }
}

fn quoted(text: &mut (impl Write + ?Sized), value: &str) -> fmt::Result {
    text.write_char('"')?;
    escaped(text, value)?;
    text.write_char('"')
}

/// Which bytes can't stand in a JSON string as they are.
const IS_ESCAPED: [bool; 256] = {
    let mut is_escaped = [false; 256];
    let mut control = 0;
    while control < b' ' {
        is_escaped[control as usize] = true;
        control += 1;
    }
    is_escaped[b'"' as usize] = true;
    is_escaped[b'\\' as usize] = true;
    is_escaped
};

/// What stands between a JSON string's quotes.
fn escaped(text: &mut (impl Write + ?Sized), value: &str) -> fmt::Result {
    let mut rest = value;
    while let Some(at) = rest.bytes().position(|byte| IS_ESCAPED[usize::from(byte)]) {
        text.write_str(&rest[..at])?;
        match rest.as_bytes()[at] {
            b'"' => text.write_str("\\\"")?,
            b'\\' => text.write_str("\\\\")?,
            b'\n' => text.write_str("\\n")?,
            b'\r' => text.write_str("\\r")?,
            b'\t' => text.write_str("\\t")?,
            byte => write!(text, "\\u{byte:04x}")?,
        }
        rest = &rest[at + 1..];
    }
    text.write_str(rest)
}

/// Escapes what is formatted into it.
struct Escaped<'a>(&'a mut dyn Write);

impl Write for Escaped<'_> {
    fn write_str(&mut self, value: &str) -> fmt::Result {
        escaped(self.0, value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing_subscriber::prelude::*;

    use super::*;

    /// What the log says of what `happens`, without the times.
    fn logged(happens: impl FnOnce()) -> Vec<Value> {
        let text = Arc::new(Mutex::new(Vec::new()));
        let layer = tracing_subscriber::fmt::layer().fmt_fields(Json).event_format(Json);
        let log = tracing_subscriber::registry().with(layer.with_writer(Shared(text.clone())));
        tracing::subscriber::with_default(log, happens);
        let text = String::from_utf8(std::mem::take(&mut *text.lock().unwrap())).unwrap();
        let line = |line: &str| {
            let mut line: Value = serde_json::from_str(line).expect(line);
            let time = line.as_object_mut().unwrap().shift_remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().parse::<domain::Timestamp>().is_ok(), "{time}");
            line
        };
        text.lines().map(line).collect()
    }

    #[derive(Clone)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Shared {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_holds_the_event_and_its_span() {
        let lines = logged(|| {
            tracing::warn!(target: "a", b = true, i = -1, u = u64::MAX, f = 1.5, not = f64::NAN, r#type = "t", "hi {}", 1);
            let span = tracing::info_span!("request", request_id = "7", operation = tracing::field::Empty);
            let _entered = span.enter();
            span.record("operation", "say \"so\"");
            tracing::info!(target: "a", error = %"two\nlines", "inside");
            tracing::info_span!("bare")
                .in_scope(|| tracing::info!(target: "a", parent: &span, "of its parent"));
            tracing::info_span!("bare").in_scope(|| tracing::info!(target: "a", list = ?["x"]));
        });
        let span = json!({ "request_id": "7", "operation": "say \"so\"", "name": "request" });
        assert_eq!(
            lines,
            [
                json!({ "level": "WARN", "message": "hi 1", "b": true, "i": -1, "u": u64::MAX, "f": 1.5,
                        "not": null, "type": "t", "target": "a" }),
                json!({ "level": "INFO", "message": "inside", "error": "two\nlines", "target": "a", "span": span }),
                json!({ "level": "INFO", "message": "of its parent", "target": "a", "span": span }),
                json!({ "level": "INFO", "list": "[\"x\"]", "target": "a", "span": { "name": "bare" } }),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_quoted_as_json(text in "\\PC*|[\\x00-\\x7f]*") {
            let mut line = String::new();
            quoted(&mut line, &text).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
