//! The curves of a run as an SVG picture.
use std::fmt::Write;

/// One panel: a line over the steps.
pub struct Panel<'a> {
    pub title: &'a str,
    pub values: &'a [f64],
    pub colour: &'a str,
}

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 48.0;

pub fn svg(heading: &str, panels: &[Panel]) -> String {
    let (w, h) = (WIDTH * panels.len() as f64, HEIGHT + 36.0);
    let mut s = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"15\">{}</text>\n",
        escape(heading)
    );
    for (i, p) in panels.iter().enumerate() {
        let _ = writeln!(s, "<g transform=\"translate({} 36)\">", i as f64 * WIDTH);
        panel(&mut s, p);
        s.push_str("</g>\n");
    }
    s + "</svg>\n"
}

fn panel(s: &mut String, p: &Panel) {
    let all = p.values.iter().copied().filter(|v| v.is_finite());
    let (lo, hi) = all.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    let (lo, hi) = if lo > hi { (0.0, 1.0) } else { (lo, hi) };
    let step = tick(hi - lo);
    let (lo, hi) = ((lo / step).floor() * step, ((hi / step).ceil() * step).max((lo / step).floor() * step + step));
    let n = p.values.len().max(2);
    let x = |i: f64| LEFT + (i - 1.0) / (n as f64 - 1.0) * (WIDTH - LEFT - RIGHT);
    let y = |v: f64| TOP + (hi - v) / (hi - lo) * (HEIGHT - TOP - BOTTOM);
    let _ = writeln!(s, "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"600\">{}</text>", TOP - 14.0, escape(p.title));
    for k in 0..=((hi - lo) / step).round() as usize {
        let v = lo + k as f64 * step;
        let text = format!("{:.*}", (-step.log10()).ceil().max(0.0) as usize, v);
        let (right, y) = (WIDTH - RIGHT, y(v));
        let _ = writeln!(s, "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#ddd\"/>");
        let _ = writeln!(s, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, y + 4.0);
    }
    let bottom = HEIGHT - BOTTOM;
    let each = tick(n as f64).max(1.0) as usize;
    for i in (1..=n).filter(|i| *i == 1 || i % each == 0) {
        let _ = writeln!(s, "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{i}</text>", x(i as f64), bottom + 18.0);
    }
    let _ = writeln!(s, "<path d=\"M{LEFT} {TOP}V{bottom}H{}\" fill=\"none\" stroke=\"#555\"/>", WIDTH - RIGHT);
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    let _ = writeln!(s, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">step</text>", bottom + 36.0);
    let line: Vec<String> = (1..)
        .zip(p.values)
        .filter(|(_, v)| v.is_finite())
        .map(|(i, v)| format!("{:.1},{:.1}", x(i as f64), y(*v)))
        .collect();
    let _ = writeln!(
        s,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
        line.join(" "),
        p.colour
    );
}

/// A round distance that cuts `span` in about five.
fn tick(span: f64) -> f64 {
    let rough = span.max(1e-6) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| power * m >= rough).unwrap_or(10.0)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!([tick(1.0), tick(0.9), tick(37.0)], [0.2, 0.2, 10.0]);
    }

    #[test]
    fn a_picture_holds_its_points_and_no_nan() {
        let panels = [Panel { title: "a < b", values: &[0.7, f64::NAN, 0.5], colour: "#06c" }];
        let s = svg("run", &panels);
        assert!(s.contains("a &lt; b") && !s.contains("NaN"));
        assert_eq!(s.split("points=\"").nth(1).unwrap().split('"').next().unwrap().split(' ').count(), 2);
    }
}
