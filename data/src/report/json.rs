//! JSON for a page: written straight to text, with limited digits and nothing that could leave a `<script>`.

/// A JSON value under construction; the caller keeps commas right through [`Json::array`] and [`Json::object`].
#[derive(Default)]
pub(crate) struct Json {
    text: String,
    comma: bool,
}

impl Json {
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn separate(&mut self) {
        if self.comma {
            self.text.push(',');
        }
        self.comma = true;
    }

    /// A key; the next value belongs to it.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.quote(name);
        self.text.push(':');
        self.comma = false;
        self
    }

    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nest('{', '}', fill);
    }

    pub(crate) fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nest('[', ']', fill);
    }

    fn nest(&mut self, open: char, close: char, fill: impl FnOnce(&mut Self)) {
        self.separate();
        self.text.push(open);
        self.comma = false;
        fill(self);
        self.text.push(close);
        self.comma = true;
    }

    pub(crate) fn string(&mut self, value: &str) {
        self.separate();
        self.quote(value);
    }

    pub(crate) fn whole(&mut self, value: u64) {
        self.separate();
        self.text.push_str(&value.to_string());
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.separate();
        self.text.push_str(if value { "true" } else { "false" });
    }

    /// A number with at most `decimals` decimals and no trailing zeros; null for `None` and for what is not finite.
    pub(crate) fn number(&mut self, value: Option<f64>, decimals: usize) {
        self.separate();
        match value {
            Some(value) if value.is_finite() => self.text.push_str(&short(value, decimals)),
            _ => self.text.push_str("null"),
        }
    }

    /// An array of numbers.
    pub(crate) fn numbers(&mut self, values: impl Iterator<Item = Option<f64>>, decimals: usize) {
        self.array(|json| values.for_each(|value| json.number(value, decimals)));
    }

    fn quote(&mut self, value: &str) {
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                // `<`, `>` and `&` could end the script element; the two separators end a line in old JavaScript.
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => self.escape(c),
                c if c.is_control() => self.escape(c),
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }

    fn escape(&mut self, c: char) {
        let mut units = [0_u16; 2];
        for unit in c.encode_utf16(&mut units) {
            self.text.push_str(&format!("\\u{unit:04x}"));
        }
    }
}

/// A finite number with at most `decimals` decimals, without trailing zeros and without a negative zero.
pub(crate) fn short(value: f64, decimals: usize) -> String {
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        let kept = text.trim_end_matches('0').trim_end_matches('.').len();
        text.truncate(kept);
    }
    if text == "-0" { "0".to_owned() } else { text }
}

/// Text made safe inside HTML elements and quoted attributes.
pub(crate) fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{Json, html, short};

    #[test]
    fn a_general_parser_reads_back_what_was_written() {
        let mut json = Json::default();
        let nasty = "</script><!-- \"\\\u{2028}\u{1}\u{1F600}é&'";
        json.object(|json| {
            json.key("a").numbers([Some(0.12345678), None, Some(f64::NAN), Some(-1e-9), Some(1200.0)].into_iter(), 4);
            json.key("s").string(nasty);
            json.key("n").array(|json| {
                json.object(|_| {});
                json.whole(7);
                json.boolean(true);
            });
        });
        let text = json.finish();
        assert!(!text.contains('<') && !text.contains('&'));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["a"], serde_json::json!([0.1235, null, null, 0, 1200]));
        assert_eq!(value["s"], nasty);
        assert_eq!(value["n"], serde_json::json!([{}, 7, true]));
    }

    #[test]
    fn digits_are_limited_and_html_is_escaped() {
        assert_eq!(
            [short(100.0, 2), short(0.5, 3), short(-0.0, 0), short(-0.004, 2)],
            ["100", "0.5", "0", "0"].map(str::to_owned)
        );
        assert_eq!(html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
