//! What pictures have in common.

/// Where the text of a picture begins.
const LEFT: f64 = 50.0;

/// The start of a picture of that size with that title. It follows the colours of whoever looks at it, light or dark, and stays as it is
/// when it is put into a page.
pub(crate) fn open(title: &str, width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{0}</title>\n{STYLE}\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"ink\" x=\"{LEFT}\" y=\"22\" font-size=\"14\">{0}</text>\n",
        escape(title)
    )
}

const STYLE: &str = "<style>.paper{fill:#fff}.ink{fill:#222}.grid{stroke:#000;stroke-opacity:.14;fill:none}\
                     @media(prefers-color-scheme:dark){.paper{fill:#1b1d21}.ink{fill:#ddd}.grid{stroke:#fff}}</style>";

/// Adds a line.
pub(crate) fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = std::fmt::Write::write_fmt(svg, text);
    svg.push('\n');
}

/// Text as it stands in a picture or a page. What XML does not allow is left out.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            sign if sign.is_control() || matches!(sign, '\u{fffe}' | '\u{ffff}') => {}
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_not_end_what_it_stands_in() {
        assert_eq!(
            escape("</text><script a=\"b\" c='d'>&\0\u{ffff}é"),
            "&lt;/text&gt;&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;é"
        );
        assert!(open("<x>", 10.0, 10.0).contains("&lt;x&gt;"));
    }
}
