//! JSON as a value: strict, so that what any reader would refuse is refused here.

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text that is one value and nothing else; panics with the place of what is wrong.
    pub fn parse(text: &str) -> Json {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value();
        reader.blanks();
        assert_eq!(reader.at, text.len(), "something follows the JSON: {}", reader.rest());
        value
    }

    /// What stands at a place, as in `remotes/0/state`; panics if there is nothing.
    pub fn at(&self, place: &str) -> &Json {
        place.split('/').fold(self, |value, step| {
            let found = match value {
                Json::Object(fields) => {
                    fields.iter().find(|(name, _)| name == step).map(|it| &it.1)
                }
                Json::List(values) => step.parse::<usize>().ok().and_then(|at| values.get(at)),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) => None,
            };
            found.unwrap_or_else(|| panic!("no {step} ({place}) in {value:?}"))
        })
    }

    /// The text at a place.
    pub fn text(&self, place: &str) -> &str {
        let found = self.at(place);
        let Json::Text(text) = found else { panic!("{place} is no text but {found:?}") };
        text
    }

    /// The number at a place.
    pub fn number(&self, place: &str) -> f64 {
        let found = self.at(place);
        let Json::Number(number) = found else { panic!("{place} is no number but {found:?}") };
        *number
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at +=
            self.rest().len() - self.rest().trim_start_matches([' ', '\n', '\r', '\t']).len();
    }

    fn takes(&mut self, word: &str) -> bool {
        self.blanks();
        let there = self.rest().starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    fn expect(&mut self, word: &str) {
        assert!(self.takes(word), "expected {word:?} at {}: {:.40}", self.at, self.rest());
    }

    fn value(&mut self) -> Json {
        for (word, value) in
            [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.takes(word) {
                return value;
            }
        }
        if self.takes("[") {
            return Json::List(self.items("]", Reader::value));
        }
        if self.takes("{") {
            return Json::Object(self.items("}", |reader| {
                let name = reader.string();
                reader.expect(":");
                (name, reader.value())
            }));
        }
        if self.rest().starts_with('"') {
            return Json::Text(self.string());
        }
        let number = regex_lite::Regex::new(r"\A-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?").unwrap();
        let found = number.find(self.rest()).map(|found| found.as_str().to_string());
        let found = found.unwrap_or_else(|| panic!("no value at {}: {:.40}", self.at, self.rest()));
        self.at += found.len();
        Json::Number(found.parse().unwrap())
    }

    fn items<T>(&mut self, end: &str, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        if self.takes(end) {
            return items;
        }
        loop {
            items.push(item(self));
            if self.takes(end) {
                return items;
            }
            self.expect(",");
        }
    }

    fn string(&mut self) -> String {
        self.expect("\"");
        let mut units = Vec::new();
        loop {
            let c = self.rest().chars().next().expect("the text ends in a string");
            self.at += c.len_utf8();
            assert!(c >= ' ', "a control character in a string");
            let escaped = match c {
                '"' => return String::from_utf16(&units).unwrap(),
                '\\' => self.rest().chars().next().expect("the text ends in a string"),
                c => {
                    units.extend(c.encode_utf16(&mut [0; 2]).iter().copied());
                    continue;
                }
            };
            self.at += escaped.len_utf8();
            match escaped {
                'u' => {
                    units.push(u16::from_str_radix(&self.rest()[..4], 16).unwrap());
                    self.at += 4;
                }
                '"' | '\\' | '/' => units.push(escaped as u16),
                'n' => units.push(10),
                'r' => units.push(13),
                't' => units.push(9),
                'b' => units.push(8),
                'f' => units.push(12),
                other => panic!("unknown escape {other:?}"),
            }
        }
    }
}
