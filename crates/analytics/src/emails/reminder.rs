//! The mail of a reminder: what its sender wrote, under a headline.

use askama::Template;
use partner_core::contracts::notification::NotificationEmail;

use super::mail;

#[derive(Template)]
#[template(path = "reminder/subject.txt", escape = "none")]
struct Subject<'a> {
    title: &'a str,
}

#[derive(Template)]
#[template(path = "reminder/body.html")]
struct Html<'a> {
    title: &'a str,
    lines: Vec<&'a str>,
}

#[derive(Template)]
#[template(path = "reminder/body.txt", escape = "none")]
struct Text<'a> {
    title: &'a str,
    lines: Vec<&'a str>,
}

/// Reminds somebody.
pub(crate) fn reminder(title: &str, message: &str) -> Result<NotificationEmail, askama::Error> {
    let lines: Vec<_> = message.trim().lines().collect();
    mail(
        &Subject { title },
        &Html {
            title,
            lines: lines.clone(),
        },
        &Text { title, lines },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_its_sender_wrote_is_text_and_keeps_its_lines() {
        let mail = reminder("A payment is due", "<b>Pay</b>\nplease\n").unwrap();
        assert_eq!(mail.subject, "A payment is due");
        assert!(
            mail.body
                .contains("<p>&#60;b&#62;Pay&#60;/b&#62;</p>\n<p>please</p>"),
            "{}",
            mail.body
        );
        assert_eq!(mail.text.trim(), "A payment is due\n\n<b>Pay</b>\nplease");
    }
}
