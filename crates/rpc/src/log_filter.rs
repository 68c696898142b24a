//! Which logs a client asks for: the filter object of `eth_getLogs`, `eth_newFilter` and `eth_subscribe`.

use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{Address, B256, Bloom, BloomInput, Log};
use serde::{Deserialize, Deserializer, de::Error};

/// Addresses, or alternatives of one topic, that a filter may name (geth: 1000).
const MAX_ALTERNATIVES: usize = 1_000;

/// Topics a log can have.
const MAX_TOPICS: usize = 4;

/// The blocks a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterBlocks {
    /// One block.
    Hash(B256),
    /// From one to another, both included; `None`: the head.
    Range(Option<BlockNumberOrTag>, Option<BlockNumberOrTag>),
}

/// A filter of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// Blocks to look at.
    pub blocks: FilterBlocks,
    /// Emitters; empty: any.
    pub addresses: Vec<Address>,
    /// Alternatives for each topic in order; empty alternatives: any.
    pub topics: Vec<Vec<B256>>,
}

impl Default for LogFilter {
    fn default() -> Self {
        Self { blocks: FilterBlocks::Range(None, None), addresses: Vec::new(), topics: Vec::new() }
    }
}

impl LogFilter {
    /// Whether a log is asked for.
    pub fn matches(&self, log: &Log) -> bool {
        let topics = log.topics();
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.len() <= topics.len()
            && self.topics.iter().zip(topics).all(|(any, topic)| any.is_empty() || any.contains(topic))
    }

    /// Whether a block or receipt with this bloom may hold a log that is asked for.
    pub fn may_match(&self, bloom: &Bloom) -> bool {
        let has = |raw: &[u8]| bloom.contains_input(BloomInput::Raw(raw));
        (self.addresses.is_empty() || self.addresses.iter().any(|address| has(address.as_slice())))
            && self.topics.iter().all(|any| any.is_empty() || any.iter().any(|topic| has(topic.as_slice())))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    block_hash: Option<B256>,
    from_block: Option<BlockNumberOrTag>,
    to_block: Option<BlockNumberOrTag>,
    address: Option<OneOrMany<Address>>,
    topics: Option<Vec<Option<OneOrMany<Option<B256>>>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let blocks = match (wire.block_hash, wire.from_block, wire.to_block) {
            (Some(hash), None, None) => FilterBlocks::Hash(hash),
            (Some(_), _, _) => {
                let both = "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other";
                return Err(D::Error::custom(both));
            }
            (None, from, to) => FilterBlocks::Range(from, to),
        };
        let addresses = wire.address.map(OneOrMany::into_vec).unwrap_or_default();
        let topics = wire.topics.unwrap_or_default();
        if addresses.len() > MAX_ALTERNATIVES {
            return Err(D::Error::custom(format!("exceed max addresses, limit is {MAX_ALTERNATIVES}")));
        }
        if topics.len() > MAX_TOPICS {
            return Err(D::Error::custom(format!("exceed max topics, limit is {MAX_TOPICS}")));
        }
        let topics = topics.into_iter().map(alternatives).collect::<Result<_, _>>().map_err(D::Error::custom)?;
        Ok(Self { blocks, addresses, topics })
    }
}

/// The alternatives of one topic; null anywhere among them means any.
fn alternatives(topic: Option<OneOrMany<Option<B256>>>) -> Result<Vec<B256>, String> {
    let many = topic.map(OneOrMany::into_vec).unwrap_or_default();
    if many.len() > MAX_ALTERNATIVES {
        return Err(format!("exceed max topics, limit is {MAX_ALTERNATIVES}"));
    }
    Ok(many.into_iter().collect::<Option<Vec<B256>>>().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{LogData, bytes};

    use super::*;

    fn filter(json: &str) -> LogFilter {
        serde_json::from_str(json).unwrap()
    }

    fn log(address: u8, topics: &[u8]) -> Log {
        let topics = topics.iter().map(|byte| B256::repeat_byte(*byte)).collect();
        Log { address: Address::repeat_byte(address), data: LogData::new_unchecked(topics, bytes!("00")) }
    }

    #[test]
    fn every_form_of_address_and_topics_is_read() {
        let address = Address::repeat_byte(0x11);
        let topic = B256::repeat_byte(0x22);
        assert_eq!(filter(&format!(r#"{{"address":"{address}"}}"#)).addresses, [address]);
        assert_eq!(filter(&format!(r#"{{"address":["{address}"]}}"#)).addresses, [address]);
        assert_eq!(filter(r#"{"address":null,"topics":null}"#), LogFilter::default());
        let topics = filter(&format!(r#"{{"topics":[null,[],"{topic}",["{topic}",null]]}}"#)).topics;
        assert_eq!(topics, [vec![], vec![], vec![topic], vec![]]);
    }

    #[test]
    fn hash_and_range_exclude_each_other() {
        let text = format!(r#"{{"blockHash":"{}","fromBlock":"0x1"}}"#, B256::ZERO);
        let error = serde_json::from_str::<LogFilter>(&text).unwrap_err();
        assert!(error.to_string().starts_with("cannot specify both BlockHash and FromBlock/ToBlock"));
        assert!(serde_json::from_str::<LogFilter>(r#"{"topics":[null,null,null,null,null]}"#).is_err());
    }

    #[test]
    fn matching_agrees_with_the_bloom() {
        let filter = LogFilter {
            addresses: vec![Address::repeat_byte(1)],
            topics: vec![vec![], vec![B256::repeat_byte(3), B256::repeat_byte(4)]],
            ..LogFilter::default()
        };
        for (log, expected) in [(log(1, &[9, 4]), true), (log(1, &[9]), false), (log(2, &[9, 4]), false)] {
            assert_eq!(filter.matches(&log), expected);
            let mut bloom = Bloom::ZERO;
            bloom.accrue_log(&log);
            assert!(!expected || filter.may_match(&bloom));
        }
    }
}
