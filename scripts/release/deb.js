// SPDX-License-Identifier: Apache-2.0
// npm run build:deb: release/hutch_VERSION-1_amd64.deb and _arm64.deb, by dpkg-deb. Or node scripts/release/deb.js [DIR [PLATFORM…]], from dist/ as it is.
// A package has the binary without Node, man pages, completions, and the drop-ins as links in /usr/lib/hutch/bin. docs/decisions/0020 says why there.
import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { directoriesOf, platforms } from '../build/platforms.js'
import { formatBinaryLicences } from './licences.js'

const { version, homepage, description } = JSON.parse(readFileSync('package.json', 'utf8'))
const maintainer = 'The hutch authors <maintainers@hutch.example>'

/** Names of drop-ins whose files in other packages are in /usr/sbin. */
const inSbin = ['cgconfigparser']
/** Drop-ins of util-linux, which every Debian has under these names. */
const essential = ['unshare', 'nsenter', 'lsns']

const hutch = (...args) => execFileSync(process.execPath, ['dist/cli.cjs', ...args], { encoding: 'utf8' })

/** Seconds since 1970 for all files: those of the commit, or those that npm writes into its packages. */
function packageTime() {
  if (process.env.SOURCE_DATE_EPOCH) return Number(process.env.SOURCE_DATE_EPOCH)
  try {
    return Number(
      execFileSync('git', ['log', '-1', '--format=%ct'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )
  } catch {
    return 499162500
  }
}

/** The source packages whose code is linked into the binary. */
function builtUsing() {
  try {
    const format = ['-W', '-f', '${source:Package} (= ${source:Version})', 'libc6-dev']
    return `Built-Using: ${execFileSync('dpkg-query', format, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })}\n`
  } catch {
    return ''
  }
}

/** Alternatives under the names of other packages' programs. A file that is there already stays as it is. */
function maintainerScripts(names) {
  const link = (name) => (inSbin.includes(name) ? `/usr/sbin/${name}` : `/usr/bin/${name}`)
  const links = names.filter((name) => !essential.includes(name)).map(link)
  return {
    postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
	for link in ${links.join(' ')}; do
		name=\${link##*/}
		# a program of cgroup-tools, bubblewrap or the administrator
		if [ -e "$link" ] || [ -L "$link" ]; then
			[ "$(readlink "$link")" = "/etc/alternatives/$name" ] || continue
		fi
		update-alternatives --quiet --install "$link" "$name" "/usr/lib/hutch/bin/$name" 10
	done
fi
`,
    prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] || [ "$1" = deconfigure ]; then
	for name in ${links.map((path) => path.replace(/.*\//, '')).join(' ')}; do
		update-alternatives --quiet --remove "$name" "/usr/lib/hutch/bin/$name"
	done
fi
`,
  }
}

const control = (architecture, size) => `Package: hutch
Version: ${version}-1
Architecture: ${architecture}
Maintainer: ${maintainer}
Installed-Size: ${size}
Section: admin
Priority: optional
Homepage: ${homepage}
${builtUsing()}Suggests: nodejs (>= 20), passt | slirp4netns, uidmap
Description: ${description[0].toLowerCase()}${description.slice(1)}
 hutch runs a command inside memory, CPU, task and time limits, isolated from
 the rest of the machine as far as you like. It reports why the command ended,
 in plain words and as data, and leaves nothing behind.
 .
 The package has one static program. It takes the place of bwrap, of unshare,
 nsenter and lsns, and of the commands of cgroup-tools: /usr/lib/hutch/bin has
 links of these names.
`

const copyright = () => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: hutch
Source: ${homepage}
Comment: The program contains QuickJS-ng and the GNU C Library, whose licence is in
 /usr/share/common-licenses/LGPL-2.1.
 .
${formatBinaryLicences()
  .split('\n')
  .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
  .join('\n')}

Files: *
Copyright: The hutch authors
License: Apache-2.0

License: Apache-2.0
 On Debian systems, the licence is in /usr/share/common-licenses/Apache-2.0.
`

const overrides = `# one file that runs everywhere: see Built-Using
hutch: statically-linked-binary [usr/bin/hutch]
# not a package of Debian's own archive
hutch: initial-upload-closes-no-bugs *
`

const changelog = (date) => `hutch (${version}-1) unstable; urgency=medium

  * Release ${version}: see changelog.gz.

 -- ${maintainer}  ${date}
`

/** Builds the package of a platform in a folder, and writes it to the release's folder. */
export function makeDeb(platform, folder, release) {
  const root = `${folder}/root`
  const time = packageTime()
  const write = (path, contents, mode = 0o644) => {
    mkdirSync(dirname(`${root}/${path}`), { recursive: true })
    writeFileSync(`${root}/${path}`, contents)
    chmodSync(`${root}/${path}`, mode)
  }
  const compressed = (text) => gzipSync(text, { level: 9 })
  rmSync(folder, { recursive: true, force: true })
  write('usr/bin/hutch', readFileSync(`${directoriesOf(platform).standalone}/hutch`), 0o755)
  const names = JSON.parse(hutch('links', '--dir', folder, '--json')).map((path) => path.replace(/.*\//, ''))
  mkdirSync(`${root}/usr/lib/hutch/bin`, { recursive: true })
  for (const name of names) symlinkSync('../../../bin/hutch', `${root}/usr/lib/hutch/bin/${name}`)
  for (const name of readdirSync('dist/man/man1'))
    write(`usr/share/man/man1/${name}.gz`, compressed(readFileSync(`dist/man/man1/${name}`)))
  write('usr/share/bash-completion/completions/hutch', hutch('completion', 'bash'))
  write('usr/share/zsh/vendor-completions/_hutch', hutch('completion', 'zsh'))
  write('usr/share/fish/vendor_completions.d/hutch.fish', hutch('completion', 'fish'))
  write('usr/share/doc/hutch/copyright', copyright())
  write('usr/share/doc/hutch/changelog.gz', compressed(readFileSync('CHANGELOG.md')))
  const date = new Date(time * 1000).toUTCString().replace('GMT', '+0000')
  write('usr/share/doc/hutch/changelog.Debian.gz', compressed(changelog(date)))
  write('usr/share/lintian/overrides/hutch', overrides)
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  const kilobytes = files.map(({ parentPath, name }) => Math.ceil(lstatSync(`${parentPath}/${name}`).size / 1024))
  const size = kilobytes.reduce((sum, one) => sum + one, 0)
  const { debian } = platforms[platform]
  write('DEBIAN/control', control(debian, size))
  for (const [name, text] of Object.entries(maintainerScripts(names))) write(`DEBIAN/${name}`, text, 0o755)
  write('DEBIAN/md5sums', md5sums(root))
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', root])
  const env = { ...process.env, SOURCE_DATE_EPOCH: `${time}`, DPKG_DEB_THREADS_MAX: '1' }
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '-Zxz', '--build', root, `${release}/hutch_${version}-1_${debian}.deb`],
    { stdio: ['ignore', 'ignore', 'inherit'], env },
  )
}

const md5sums = (root) =>
  execFileSync('sh', ['-c', 'cd "$0" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum', root], {
    encoding: 'utf8',
  })

if (import.meta.filename === process.argv[1]) {
  const release = resolve(process.argv[2] ?? 'release')
  const chosen = process.argv.length > 3 ? process.argv.slice(3) : Object.keys(platforms)
  mkdirSync(release, { recursive: true })
  for (const platform of chosen) {
    execFileSync(process.execPath, ['scripts/build/standalone.js', '--platform', platform], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    makeDeb(platform, `${release}/deb-${platform}`, release)
    rmSync(`${release}/deb-${platform}`, { recursive: true })
    console.log(`${release}/hutch_${version}-1_${platforms[platform].debian}.deb`)
  }
}
