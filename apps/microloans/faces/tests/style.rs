//! The style sheet by itself: contrast in both colour schemes (WCAG 2.2, 1.4.3 and 1.4.11), and nothing from elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::float_arithmetic,
    reason = "tests, and a formula that is defined in real numbers"
)]

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../assets/style.css");

/// Text and what it stands on: at least 4.5 to 1.
const TEXTS: [(&str, &str); 13] = [
    ("ink", "ground"),
    ("ink", "raised"),
    ("soft", "ground"),
    ("soft", "raised"),
    ("accent", "ground"),
    ("accent", "raised"),
    ("accent-ink", "accent"),
    ("good", "good-ground"),
    ("good", "ground"),
    ("bad", "bad-ground"),
    ("bad", "ground"),
    ("bad", "raised"),
    ("good", "raised"),
];

/// Lines of controls and parts of charts: at least 3 to 1.
const SHAPES: [(&str, &str); 4] =
    [("field-line", "ground"), ("field-line", "raised"), ("bar", "ground"), ("gone", "ground")];

/// The colours of each scheme: the light one, and what the dark one changes of it.
fn schemes() -> [BTreeMap<String, [u8; 3]>; 2] {
    let mut blocks = STYLE.split(":root {").skip(1).map(|block| block.split('}').next().unwrap());
    let read = |block: &str| -> BTreeMap<String, [u8; 3]> {
        let colours = block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": #"));
        let channel = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        colours.map(|(name, hex)| (name.to_owned(), [0, 2, 4].map(|at| channel(hex, at)))).collect()
    };
    let light = read(blocks.next().unwrap());
    let mut dark = light.clone();
    dark.extend(read(blocks.next().unwrap()));
    assert!(light.len() > 10 && light.keys().eq(dark.keys()));
    [light, dark]
}

/// Relative luminance (WCAG 2.2, glossary).
fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|channel| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn contrast_is_as_it_is_defined() {
    assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
    // #767676 is the lightest grey for text on white.
    assert!(contrast([0x76; 3], [255; 3]) >= 4.5 && contrast([0x77; 3], [255; 3]) < 4.5);
}

#[test]
fn text_and_shapes_can_be_told_from_what_they_stand_on() {
    for (scheme, colours) in ["light", "dark"].into_iter().zip(schemes()) {
        let pairs = TEXTS.map(|pair| (pair, 4.5)).into_iter().chain(SHAPES.map(|pair| (pair, 3.0)));
        for ((one, other), least) in pairs {
            let found = contrast(colours[one], colours[other]);
            assert!(found >= least, "{one} on {other}, {scheme}: {found:.2}");
        }
    }
}

#[test]
fn nothing_is_loaded_and_focus_can_be_seen() {
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    assert!(STYLE.contains(":focus-visible { outline: 3px") && !STYLE.contains("outline: none"));
    assert!(STYLE.len() < 20_000, "{} bytes", STYLE.len());
}
