//! As much of CloudWatch's metric math as the growth expression uses, on single values.

use std::collections::BTreeMap;

/// The value of the expression. What it does not know ends the test.
pub(crate) fn evaluate(text: &str, variables: &BTreeMap<&str, f64>) -> f64 {
    let mut parser = Parser {
        rest: text,
        variables,
    };
    let value = parser.comparison();
    assert_eq!(parser.rest, "", "not read to its end: {text}");
    value
}

struct Parser<'a> {
    rest: &'a str,
    variables: &'a BTreeMap<&'a str, f64>,
}

impl<'a> Parser<'a> {
    /// The lowest precedence: `a >= b` and `a > b` are 1 or 0.
    fn comparison(&mut self) -> f64 {
        let left = self.sum();
        if self.take(">=") {
            return f64::from(left >= self.sum());
        }
        if self.take(">") {
            return f64::from(left > self.sum());
        }
        left
    }

    fn sum(&mut self) -> f64 {
        let mut value = self.product();
        loop {
            if self.take("+") {
                value += self.product();
            } else if self.take("-") {
                value -= self.product();
            } else {
                return value;
            }
        }
    }

    fn product(&mut self) -> f64 {
        let mut value = self.atom();
        loop {
            if self.take("*") {
                value *= self.atom();
            } else if self.take("/") {
                value /= self.atom();
            } else {
                return value;
            }
        }
    }

    fn atom(&mut self) -> f64 {
        if self.take("(") {
            let value = self.comparison();
            self.expect(")");
            return value;
        }
        let word = self.word();
        if !self.take("(") {
            let known = self.variables.get(word).copied();
            return known.unwrap_or_else(|| word.parse().unwrap());
        }
        let mut arguments = vec![self.comparison()];
        while self.take(",") {
            arguments.push(self.comparison());
        }
        self.expect(")");
        match (word, &arguments[..]) {
            ("CEIL", [value]) => value.ceil(),
            ("IF", [condition, yes, no]) => *if *condition == 0.0 { no } else { yes },
            _ => panic!("no function {word} of {} arguments", arguments.len()),
        }
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest.trim_start().strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "no {token} before {:?}", self.rest);
    }
}
