//! Comma-separated values, as in RFC 4180, with line ends of either kind.

/// Splits a text into records of fields.
///
/// # Errors
/// The number of the record, from one, whose quotes do not close or are followed by text.
pub(crate) fn records(text: &str) -> Result<Vec<Vec<String>>, usize> {
    let mut records = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let mut record = Vec::new();
        loop {
            let (field, after) = field(rest).ok_or(records.len() + 1)?;
            record.push(field);
            rest = after;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
        records.push(record);
    }
    Ok(records)
}

/// The first field, and what follows it: a comma, a line's end, or nothing.
fn field(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let (field, rest) = text.split_at(end);
        return match field.strip_suffix('\r') {
            Some(field) if rest.starts_with('\n') || rest.is_empty() => Some((field.to_owned(), rest)),
            _ => Some((field.to_owned(), rest)),
        };
    };
    let mut field = String::new();
    loop {
        let (part, after) = quoted.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            None => {
                let ends = after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n");
                return ends.then_some((field, after));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_hold_commas_lines_and_quotes() {
        let text = "a,\"b, \"\"c\"\"\",\r\n\"two\nlines\",,x\n";
        let expected = vec![vec!["a", "b, \"c\"", ""], vec!["two\nlines", "", "x"]];
        assert_eq!(records(text).unwrap(), expected);
        assert_eq!(records("\u{feff}a\n").unwrap(), vec![vec!["a"]]);
        assert_eq!(records("a\n\"b"), Err(2));
        assert_eq!(records("\"b\"c"), Err(1));
    }

    fn quoted(records: &[Vec<String>]) -> String {
        let line = |record: &Vec<String>| {
            record.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect::<Vec<_>>().join(",")
        };
        records.iter().map(line).collect::<Vec<_>>().join("\r\n")
    }

    proptest! {
        #[test]
        fn records_are_read_as_they_were_written(
            written in prop::collection::vec(prop::collection::vec("[a\",\r\n ]{0,6}", 1..5), 0..6),
        ) {
            prop_assert_eq!(records(&quoted(&written)).unwrap(), written);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a\",\r\n]{0,40}") {
            let _ = records(&text);
        }
    }
}
