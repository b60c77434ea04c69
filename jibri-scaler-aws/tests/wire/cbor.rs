//! What CloudWatch speaks: RPC v2 with bodies in CBOR.

use std::{collections::BTreeMap, ops::Index};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_smithy_cbor::{Decoder, Encoder, data::Type};

use crate::answers::Answer;

/// The header of every answer in CBOR.
pub(crate) const CBOR: &str = "smithy-protocol: rpc-v2-cbor";

/// What CloudWatch answers where all is well and nothing is to be said.
pub(crate) const ACCEPTED: Answer = Answer::Http {
    status: 200,
    headers: &[CBOR],
    body: Vec::new(),
};

pub(crate) fn refusal(status: u16, headers: &'static [&'static str]) -> Answer {
    Answer::Http {
        status,
        headers,
        // An empty map in CBOR: the header has the code.
        body: vec![0xa0],
    }
}

pub(crate) fn answer(value: &Value) -> Answer {
    let mut encoder = Encoder::new(Vec::new());
    value.encode(&mut encoder);
    Answer::Http {
        status: 200,
        headers: &[CBOR],
        body: encoder.into_writer(),
    }
}

/// As much of CBOR as the tests need.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Number(f64),
    Text(String),
    Time(DateTime),
}

impl Value {
    pub(crate) fn map<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Map(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub(crate) fn list(&self) -> &[Self] {
        match self {
            Self::List(members) => members,
            other => panic!("no list: {other:?}"),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get(name),
            other => panic!("no map: {other:?}"),
        }
    }

    /// The value of a whole body.
    pub(crate) fn decode(body: &[u8]) -> Self {
        let mut decoder = Decoder::new(body);
        let value = Self::read(&mut decoder);
        assert_eq!(decoder.position(), body.len());
        value
    }

    fn read(decoder: &mut Decoder<'_>) -> Self {
        match decoder.datatype().unwrap() {
            Type::Map | Type::MapIndef => {
                let length = decoder.map().unwrap();
                let member = |decoder: &mut Decoder<'_>| {
                    let name = decoder.str().unwrap().into_owned();
                    (name, Self::read(decoder))
                };
                Self::Map(members(decoder, length, member).into_iter().collect())
            }
            Type::Array | Type::ArrayIndef => {
                let length = decoder.list().unwrap();
                Self::List(members(decoder, length, Self::read))
            }
            Type::String | Type::StringIndef => Self::Text(decoder.str().unwrap().into_owned()),
            Type::F32 | Type::F64 => Self::Number(decoder.double().unwrap()),
            Type::Bool => Self::Bool(decoder.boolean().unwrap()),
            Type::Tag => Self::Time(decoder.timestamp().unwrap()),
            _ => Self::Number(f64::from(decoder.integer().unwrap())),
        }
    }

    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Bool(truth) => {
                encoder.boolean(*truth);
            }
            Self::List(members) => {
                encoder.array(members.len());
                for member in members {
                    member.encode(encoder);
                }
            }
            Self::Map(members) => {
                encoder.map(members.len());
                for (name, member) in members {
                    encoder.str(name);
                    member.encode(encoder);
                }
            }
            Self::Number(number) => {
                encoder.double(*number);
            }
            Self::Text(text) => {
                encoder.str(text);
            }
            Self::Time(time) => {
                encoder.timestamp(time);
            }
        }
    }
}

impl Index<&str> for Value {
    type Output = Self;

    #[track_caller]
    fn index(&self, name: &str) -> &Self {
        let Some(member) = self.get(name) else {
            panic!("no {name} in {self:?}");
        };
        member
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<DateTime> for Value {
    fn from(time: DateTime) -> Self {
        Self::Time(time)
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        Self::List(members.into_iter().map(Into::into).collect())
    }
}

/// The members of a list or a map, whose length is given or ends with a break.
fn members<T>(
    decoder: &mut Decoder<'_>,
    length: Option<u64>,
    mut member: impl FnMut(&mut Decoder<'_>) -> T,
) -> Vec<T> {
    if let Some(length) = length {
        return (0..length).map(|_| member(decoder)).collect();
    }
    let mut members = Vec::new();
    while decoder.datatype().unwrap() != Type::Break {
        members.push(member(decoder));
    }
    decoder.set_position(decoder.position() + 1);
    members
}
