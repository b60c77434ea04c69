//! A second opinion on what a JSON text says. Shares no code with what it is compared with.

/// A JSON value with all its members, those of the same name too.
#[derive(Debug, PartialEq)]
pub(crate) enum Json {
    Text(String),
    Truth(bool),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// A number or null: nothing that is asked for is one.
    Other,
}

impl Json {
    /// Reads a JSON text; `None` where it is none. It is lenient with what is no Unicode, which may stand in a member that nobody
    /// reads, and equals no word that is asked for.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let mut reader = Reader(&text);
        let value = reader.value()?;
        reader.blank();
        reader.0.is_empty().then_some(value)
    }

    /// All members of that name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Self> {
        let Self::Object(members) = self else {
            return Vec::new();
        };
        let same = members.iter().filter(|(key, _)| key == name);
        same.map(|(_, value)| value).collect()
    }

    fn is_only(&self, name: &str, text: &str) -> bool {
        matches!(self.all(name)[..], [Self::Text(only)] if only == text)
    }

    /// Whether it says once and plainly that a Jibri is idle and healthy: in the shape of today, or in that before 6.5.
    pub(crate) fn is_plainly_idle(&self) -> bool {
        match self.all("status")[..] {
            [] => matches!(self.all("busy")[..], [Self::Truth(false)]),
            [status] => {
                let healthy = matches!(status.all("health")[..], [health] if health.is_only("healthStatus", "HEALTHY"));
                status.is_only("busyStatus", "IDLE") && healthy
            }
            _ => false,
        }
    }
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn value(&mut self) -> Option<Json> {
        self.blank();
        let first = self.0.chars().next()?;
        match first {
            '"' => self.text().map(Json::Text),
            '{' => self.object(),
            '[' => self.list(),
            't' => self.take("true").then_some(Json::Truth(true)),
            'f' => self.take("false").then_some(Json::Truth(false)),
            'n' => self.take("null").then_some(Json::Other),
            _ => {
                let number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                let rest = self.0.trim_start_matches(number);
                let read = rest.len() < self.0.len();
                self.0 = rest;
                read.then_some(Json::Other)
            }
        }
    }

    fn object(&mut self) -> Option<Json> {
        let mut members = Vec::new();
        self.take("{");
        self.blank();
        while !self.take("}") {
            if !members.is_empty() && !self.take(",") {
                return None;
            }
            self.blank();
            let name = self.text()?;
            self.blank();
            if !self.take(":") {
                return None;
            }
            members.push((name, self.value()?));
            self.blank();
        }
        Some(Json::Object(members))
    }

    fn list(&mut self) -> Option<Json> {
        let mut values = Vec::new();
        self.take("[");
        self.blank();
        while !self.take("]") {
            if !values.is_empty() && !self.take(",") {
                return None;
            }
            values.push(self.value()?);
            self.blank();
        }
        Some(Json::List(values))
    }

    fn text(&mut self) -> Option<String> {
        if !self.take("\"") {
            return None;
        }
        let mut units: Vec<u16> = Vec::new();
        loop {
            let c = self.next()?;
            match c {
                '"' => return Some(String::from_utf16_lossy(&units)),
                '\\' => units.push(self.escape()?),
                '\0'..='\x1f' => return None,
                _ => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        Some(match self.next()? {
            'b' => 8,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'u' => {
                let digits = self.0.get(..4)?;
                self.0 = &self.0[4..];
                u16::from_str_radix(digits, 16).ok()?
            }
            plain @ ('"' | '\\' | '/') => u16::try_from(u32::from(plain)).ok()?,
            _ => return None,
        })
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let next = chars.next()?;
        self.0 = chars.as_str();
        Some(next)
    }

    fn take(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn blank(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\r', '\n']);
    }
}
