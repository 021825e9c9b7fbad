//! The user domain's mails: embedded templates, user input escaped, one key a mail.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use partner_core::contact::EmailAddress;
use partner_core::contracts::email::{EmailAttachment, SendEmailInput};
use partner_core::ids::UserId;

use crate::model::PersonName;
use crate::settings::OnboardingSettings;

/// Whose onboarding a mail is about, and what it points to.
#[derive(Debug, Clone, Copy)]
pub struct OnboardingMail<'a> {
    /// The user.
    pub user_id: &'a UserId,
    /// Where it goes.
    pub email: &'a EmailAddress,
    /// What they are called.
    pub name: &'a PersonName,
    /// The platform's addresses.
    pub settings: &'a OnboardingSettings,
}

#[derive(Template)]
#[template(path = "welcome_package/subject.txt", escape = "none")]
struct WelcomeSubject<'a> {
    mail: OnboardingMail<'a>,
}

#[derive(Template)]
#[template(path = "welcome_package/body.html")]
struct WelcomeHtml<'a> {
    mail: OnboardingMail<'a>,
}

#[derive(Template)]
#[template(path = "welcome_package/body.txt", escape = "none")]
struct WelcomeText<'a> {
    mail: OnboardingMail<'a>,
}

#[derive(Template)]
#[template(path = "welcome_package/guide.txt", escape = "none")]
struct WelcomeGuide<'a> {
    mail: OnboardingMail<'a>,
}

#[derive(Template)]
#[template(path = "onboarding_completed/subject.txt", escape = "none")]
struct CompletedSubject;

#[derive(Template)]
#[template(path = "onboarding_completed/body.html")]
struct CompletedHtml<'a> {
    mail: OnboardingMail<'a>,
}

#[derive(Template)]
#[template(path = "onboarding_completed/body.txt", escape = "none")]
struct CompletedText<'a> {
    mail: OnboardingMail<'a>,
}

/// Gives a new partner what they need to begin, with the guide as a file to keep.
pub fn welcome_package(mail: OnboardingMail<'_>) -> Result<SendEmailInput, askama::Error> {
    let guide = WelcomeGuide { mail }.render()?;
    Ok(SendEmailInput {
        to: mail.email.to_string(),
        subject: one_line(&WelcomeSubject { mail }.render()?),
        body: WelcomeHtml { mail }.render()?,
        text: Some(WelcomeText { mail }.render()?),
        attachments: vec![EmailAttachment {
            filename: "partner-guide.txt".to_owned(),
            url: None,
            content: Some(STANDARD.encode(guide)),
        }],
        message_id: Some(format!("onboarding/{}/welcome", mail.user_id)),
    })
}

/// Tells a new partner that they can begin.
pub fn onboarding_completed(mail: OnboardingMail<'_>) -> Result<SendEmailInput, askama::Error> {
    Ok(SendEmailInput {
        to: mail.email.to_string(),
        subject: one_line(&CompletedSubject.render()?),
        body: CompletedHtml { mail }.render()?,
        text: Some(CompletedText { mail }.render()?),
        attachments: Vec::new(),
        message_id: Some(format!("onboarding/{}/completed", mail.user_id)),
    })
}

/// A template's file may end in a line break, a header must not.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn welcome_to(name: &str) -> SendEmailInput {
        let settings = OnboardingSettings {
            portal_url: Url::parse("https://portal.example/?a=1&b=2").unwrap(),
            help_url: Url::parse("https://help.example/").unwrap(),
            support_email: "support@partner.example".to_owned(),
        };
        welcome_package(OnboardingMail {
            user_id: &UserId::parse("ana").unwrap(),
            email: &EmailAddress::parse("ana@example.com").unwrap(),
            name: &PersonName::parse(name).unwrap(),
            settings: &settings,
        })
        .unwrap()
    }

    #[test]
    fn escapes_what_users_wrote_in_html_and_nowhere_else() {
        let mail = welcome_to("<b>Ana</b> & Söhne");
        assert!(!mail.body.contains("<b>"), "{}", mail.body);
        assert!(mail.body.contains("&#60;b&#62;Ana"), "{}", mail.body);
        assert!(mail.body.contains("?a=1&#38;b=2"), "{}", mail.body);
        let text = mail.text.unwrap();
        assert!(text.contains("<b>Ana</b> & Söhne"), "{text}");
        assert!(text.contains("https://portal.example/?a=1&b=2"), "{text}");
    }

    #[test]
    fn the_subject_is_one_line() {
        let mail = welcome_to("Ana\r\nBcc: eve@example.com");
        assert_eq!(
            mail.subject,
            "Welcome, Ana Bcc: eve@example.com: your first steps as a partner"
        );
    }
}
