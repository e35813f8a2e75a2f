//! The `plugin name=...` blocks behind `sersync`.
//!
//! Owns what each of the four blocks must hold. A block is read and checked even if no plugin is
//! turned on, since `-m` can ask for any of them. `read` calls it; `tell::plugin` runs them.

use super::address::host;
use super::diagnosis::hint::Hint;
use super::diagnosis::problem::Problem;
use super::settings::{Plugin, PluginKind};
use super::spelling::nearest_index;
use super::url::{self, Url};
use super::xml::Element;
use std::path::PathBuf;

/// Reads one block.
pub(super) fn plugin(element: Element<'_>) -> Result<Plugin, Problem> {
    match kind(element)? {
        PluginKind::Command => command(element),
        PluginKind::Socket => {
            let (watch, path) = localpath(element)?;
            let target = path.required_child("deshost", "<deshost ip=\"...\" port=\"...\"/>")?;
            let ip = target.required("ip", "a host name or an address")?;
            Ok(Plugin::Socket { watch, host: host(&ip)?, port: port(target)? })
        }
        PluginKind::Http => {
            let (watch, path) = localpath(element)?;
            let target = path.required_child("deshost", "<deshost url=\"...\" port=\"...\"/>")?;
            let written = target.required("url", "a host or a URL")?;
            let Url { host, port: own_port, path } =
                url::parse(&written.text()?).map_err(|expected| written.wrong(&expected))?;
            let port = own_port.map_or_else(|| port(target), Ok)?;
            Ok(Plugin::Http { watch, host, port, path })
        }
        PluginKind::RefreshCdn => refresh_cdn(element),
    }
}

/// Which plugin the attribute `name` names, in a block and in `sersync/plugin` alike.
pub(super) fn kind(element: Element<'_>) -> Result<PluginKind, Problem> {
    let names = PluginKind::NAMES.map(|(name, _)| name);
    let expected = format!("one of {}", names.join(", "));
    let name = element.required("name", &expected)?;
    PluginKind::from_name(name.value().trim()).ok_or_else(|| {
        match nearest_index(name.value(), &names) {
            Some(index) => {
                let problem = name.wrong(&expected).hint(Hint::MEANT.with(names[index]));
                problem.edit(name.replaced_by(names[index]))
            }
            None => name.wrong(&expected).hint(Hint::CORRECT),
        }
    })
}

fn command(element: Element<'_>) -> Result<Plugin, Problem> {
    let param = element.required_child("param", "<param prefix=\"/bin/sh\" suffix=\"\"/>")?;
    let prefix = param.required("prefix", "the command to run")?.bytes();
    let suffix = param.attribute("suffix").map(|suffix| suffix.bytes()).unwrap_or_default();
    let ignore_error =
        param.attribute("ignoreError").map_or(Ok(false), |attribute| attribute.switch())?;
    let includes = match element.child("filter") {
        Some(filter) if filter.start()? => filter.expressions("include")?,
        Some(_) | None => Vec::new(),
    };
    Ok(Plugin::Command { prefix, suffix, ignore_error, includes })
}

fn refresh_cdn(element: Element<'_>) -> Result<Plugin, Problem> {
    let (watch, path) = localpath(element)?;
    let cdn = path.required_child("cdninfo", "<cdninfo domainname=\"...\" port=\"80\" .../>")?;
    let send = path.required_child("sendurl", "<sendurl base=\"http://...\"/>")?;
    Ok(Plugin::RefreshCdn {
        watch,
        domain: host(&cdn.required("domainname", "a host name")?)?,
        port: port(cdn)?,
        user: cdn.required("username", "the user at the CDN")?.text()?,
        password: cdn.required("passwd", "the password at the CDN")?.text()?,
        base: send.required("base", "the start of each URL")?.text()?,
        pattern: pattern(path)?,
    })
}

/// `regexurl match`. It may match any part of a path; all other expressions match whole paths.
fn pattern(path: Element<'_>) -> Result<Option<String>, Problem> {
    let Some(regexurl) = path.child("regexurl") else { return Ok(None) };
    if !regexurl.required("regex", "\"true\" or \"false\"")?.switch()? {
        return Ok(None);
    }
    let pattern = regexurl.required("match", "a regular expression")?;
    pattern.expression().map(Some)
}

fn localpath(element: Element<'_>) -> Result<(PathBuf, Element<'_>), Problem> {
    let path = element.required_child("localpath", "<localpath watch=\"/directory\">")?;
    Ok((path.required("watch", "the directory to watch")?.directory()?, path))
}

fn port(element: Element<'_>) -> Result<u16, Problem> {
    element.required("port", "a port from 1 to 65535")?.port()
}

#[cfg(test)]
mod tests {
    use super::super::text::Encoding;
    use super::super::xml;
    use super::*;

    fn read(source: &str) -> Result<Plugin, Problem> {
        let document = xml::parse(source).unwrap();
        plugin(Element::root(&document, Encoding::Utf8))
    }

    #[test]
    fn each_block_has_its_own_elements() {
        let command = read(
            "<plugin name='command'><param prefix='/bin/sh -c' suffix='' ignoreError='true'/>\
             <filter start='true'><include expression='(.*)\\.php'/></filter></plugin>",
        );
        assert_eq!(
            command,
            Ok(Plugin::Command {
                prefix: b"/bin/sh -c".into(),
                suffix: Vec::new(),
                ignore_error: true,
                includes: vec!["(.*)\\.php".into()],
            })
        );
        let http = read(
            "<plugin name='http'><localpath watch='/a/'>\
             <deshost url='http://h/x' port='80'/></localpath></plugin>",
        );
        assert_eq!(
            http,
            Ok(Plugin::Http { watch: "/a".into(), host: "h".into(), port: 80, path: "/x".into() })
        );
        let socket = read(
            "<plugin name='socket'><localpath watch='/a'><deshost ip='::1' port='8009'/>\
             </localpath></plugin>",
        );
        assert_eq!(
            socket,
            Ok(Plugin::Socket { watch: "/a".into(), host: "::1".into(), port: 8009 })
        );
    }

    #[test]
    fn the_cdn_pattern_counts_only_when_turned_on() {
        for (regex, expected) in [("true", Some("a([b]*)")), ("false", None)] {
            let plugin = read(&format!(
                "<plugin name='refreshCDN'><localpath watch='/a'>\
                 <cdninfo domainname='h' port='80' username='u' passwd='p'/>\
                 <sendurl base='http://b'/><regexurl regex='{regex}' match='a([b]*)'/>\
                 </localpath></plugin>"
            ));
            let Ok(Plugin::RefreshCdn { pattern, .. }) = plugin else { panic!("{plugin:?}") };
            assert_eq!(pattern.as_deref(), expected);
        }
    }

    #[test]
    fn what_a_block_lacks_is_an_error() {
        let cases = [
            ("<plugin/>", "found no name=\"...\" in <plugin>, expected one of refreshCDN, socket"),
            ("<plugin name='sokcet'/>", "found name=\"sokcet\" in <plugin>, expected one of"),
            ("<plugin name='command'/>", "found no <param> in <plugin>"),
            ("<plugin name='socket'/>", "found no <localpath> in <plugin>"),
            (
                "<plugin name='socket'><localpath watch='a'/></plugin>",
                "found watch=\"a\" in <localpath>, expected an absolute path",
            ),
            (
                "<plugin name='socket'><localpath watch='/a'><deshost ip='h' port='0'/>\
                 </localpath></plugin>",
                "found port=\"0\" in <deshost>, expected a port from 1 to 65535",
            ),
            (
                "<plugin name='http'><localpath watch='/a'><deshost url='https://h/' port='443'/>\
                 </localpath></plugin>",
                "found url=\"https://h/\" in <deshost>, expected a host, or http://host:port/path; \
                 https is not possible",
            ),
            (
                "<plugin name='command'><param prefix='a'/><filter start='true'>\
                 <include expression='('/></filter></plugin>",
                "found expression=\"(\" in <include>, expected a regular expression: ",
            ),
        ];
        for (source, expected) in cases {
            let problem = read(source).unwrap_err();
            assert!(problem.text.starts_with(expected), "{source}: {problem}");
        }
    }
}
