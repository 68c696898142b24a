//! Charts, drawn as SVG. Each has its figures beside it as text, so that nothing is in the drawing alone; colours come from the style sheet.

use maud::{Markup, html};

/// Width of a drawing, and height of a bar with its gap, in its own units.
const WIDTH: i128 = 320;
const BAR: i128 = 42;
/// Where bars end; the figure stands beyond.
const ROOM: i128 = 225;

/// A bar: its name, its figure as text, and how long it is.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) figure: String,
    pub(crate) size: i128,
}

/// Bars from the left, the longest as long as there is room.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.size).max().unwrap_or(0);
    bars_of(title, bars, most)
}

/// Bars from the left; one of the whole would be as long as there is room.
pub(crate) fn bars_of(title: &str, bars: &[Bar], whole: i128) -> Markup {
    let most = whole.max(1);
    let height = BAR * i128::try_from(bars.len()).unwrap_or(0);
    html! {
        figure {
            figcaption { (title) }
            svg.chart viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(spoken(title, bars)) {
                @for (at, bar) in (0..).zip(bars) {
                    @let (y, length) = (at * BAR, (bar.size * ROOM / most).max(1));
                    text.name x="0" y=(y + 13) { (bar.name) }
                    rect.bar x="0" y=(y + 20) width=(length) height="12" rx="3" {}
                    text.value x=(length + 6) y=(y + 31) { (bar.figure) }
                }
            }
        }
    }
}

/// What is lost first, and what is lost last: layers on top of one another, of which some part is gone.
pub(crate) fn layers(title: &str, layers: &[(Bar, i128)]) -> Markup {
    let most = layers.iter().map(|(bar, _)| bar.size).max().unwrap_or(0).max(1);
    let height = BAR * i128::try_from(layers.len()).unwrap_or(0);
    let names: Vec<Bar> =
        layers.iter().map(|(bar, _)| Bar { name: bar.name.clone(), figure: bar.figure.clone(), size: 0 }).collect();
    html! {
        figure {
            figcaption { (title) }
            svg.chart viewBox={ "0 0 " (WIDTH) " " (height) } role="img" aria-label=(spoken(title, &names)) {
                @for (at, (bar, gone)) in (0..).zip(layers) {
                    @let (y, length) = (at * BAR, (bar.size * ROOM / most).max(1));
                    text.name x="0" y=(y + 13) { (bar.name) }
                    rect.bar x="0" y=(y + 20) width=(length) height="12" rx="3" {}
                    @if *gone > 0 { rect.gone x="0" y=(y + 20) width=((gone.min(&bar.size) * ROOM / most).max(2)) height="12" rx="3" {} }
                    text.value x=(length + 6) y=(y + 31) { (bar.figure) }
                }
            }
        }
    }
}

fn spoken(title: &str, bars: &[Bar]) -> String {
    let bars: Vec<String> = bars.iter().map(|bar| format!("{} {}", bar.name, bar.figure)).collect();
    format!("{title}: {}", bars.join("; "))
}
