// SPDX-License-Identifier: Apache-2.0
// Debian's packages: what is in them, and that dpkg installs and removes them, in an overlay over this host's root. This host stays as it is.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropins } from '../../src/dropin/table.ts'
import { requires } from '../support/requires.ts'

const present = existsSync('/usr/bin/dpkg-deb')
let work = ''
const packages: { [architecture: string]: string } = {}

beforeAll(() => {
  if (!present) return
  work = mkdtempSync('/var/tmp/hutch-deb-')
  execFileSync(process.execPath, ['scripts/release/deb.js', `${work}/release`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (const name of readdirSync(`${work}/release`))
    packages[/_(\w+)\.deb$/.exec(name)![1]!] = `${work}/release/${name}`
}, 600_000)

afterAll(() => {
  if (present) rmSync(work, { recursive: true })
})

const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8' })

test('there is one for amd64 and one for arm64, with the program, links, man pages and completions', (context) => {
  requires(context, 'dpkg(1)')
  expect(Object.keys(packages).toSorted()).toEqual(['amd64', 'arm64'])
  for (const [architecture, path] of Object.entries(packages)) {
    const fields = run('dpkg-deb', '--field', path)
    expect(fields).toMatch(/^Package: hutch\nVersion: \d+\.\d+\.\d+-1\n/)
    expect(fields).toContain(`\nArchitecture: ${architecture}\n`)
    // static: no library of the host
    expect(fields).not.toMatch(/^(Depends|Pre-Depends|Conflicts|Replaces):/m)
    const list = run('dpkg-deb', '--contents', path)
    expect(list.match(/^[^l]\S+ (?!root\/root).*$/gm)).toEqual(null)
    const paths = [...list.matchAll(/ \.(\/\S*[^/\s])( -> \S+)?$/gm)].map(([, name]) => name!)
    expect(paths).toEqual(
      expect.arrayContaining([
        '/usr/bin/hutch',
        '/usr/share/bash-completion/completions/hutch',
        '/usr/share/doc/hutch/copyright',
        '/usr/share/fish/vendor_completions.d/hutch.fish',
        '/usr/share/man/man1/hutch-run.1.gz',
        '/usr/share/zsh/vendor-completions/_hutch',
        ...Object.keys(dropins).map((name) => `/usr/lib/hutch/bin/${name}`),
      ]),
    )
    // nothing under the name of another package's program
    expect(paths.filter((name) => /^\/usr\/s?bin\//.test(name))).toEqual(['/usr/bin/hutch'])
  }
  const elf = (architecture: string) => {
    run('dpkg-deb', '--extract', packages[architecture]!, `${work}/${architecture}`)
    return run('readelf', '--file-header', '--program-headers', `${work}/${architecture}/usr/bin/hutch`)
  }
  expect(elf('amd64')).toMatch(/Machine: +Advanced Micro Devices X86-64/)
  expect(elf('arm64')).toMatch(/Machine: +AArch64/)
  expect(elf('arm64')).not.toContain('INTERP')
})

/** Another package's programs under names of drop-ins. */
function buildOther(): string {
  const root = `${work}/other`
  mkdirSync(`${root}/DEBIAN`, { recursive: true })
  mkdirSync(`${root}/usr/bin`, { recursive: true })
  const control =
    'Package: other-tools\nVersion: 1\nArchitecture: all\nMaintainer: x <x@hutch.example>\nDescription: x\n'
  writeFileSync(`${root}/DEBIAN/control`, control)
  writeFileSync(`${root}/usr/bin/cgxget`, '#!/bin/sh\necho other\n', { mode: 0o755 })
  run('dpkg-deb', '--root-owner-group', '--build', root, `${work}/release/other.deb`)
  return `${work}/release/other.deb`
}

/** Writes a bundle of busybox whose process prints a word and ends with 7. */
function writeBundle(): void {
  mkdirSync(`${work}/bundle/rootfs/bin`, { recursive: true })
  copyFileSync('/bin/busybox', `${work}/bundle/rootfs/bin/sh`)
  const config = {
    ociVersion: '1.2.0',
    process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/bin/sh', '-c', 'echo over hutch-oci; exit 7'] },
    root: { path: 'rootfs' },
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }] },
  }
  writeFileSync(`${work}/bundle/config.json`, JSON.stringify(config))
}

/** Runs a script as root in an overlay over the root of this host, and prints afterwards what it left there. */
function inOverlay(script: string): string {
  const around = `set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount --rbind /proc /mnt/root/proc
mount --rbind /sys /mnt/root/sys
mount --rbind /dev /mnt/root/dev
mount --bind '${work}' /mnt/root/srv
mount -t tmpfs tmpfs /mnt/root/tmp
chroot /mnt/root sh -ec '${script}'
cd /mnt/upper
find . ! -type d ! -path './var/lib/dpkg/*' ! -path './var/log/*' ! -path './var/cache/*'`
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', around], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DEBIAN_FRONTEND: 'noninteractive', HUTCH_STATE: '0' },
  })
  expect([status, stderr.replace(/^dpkg: warning: (?:overriding|package architecture).*\n/gm, '')]).toEqual([0, ''])
  return stdout.replace(/^(\(Reading|Selecting|Preparing|Unpacking|Setting up|Removing|Purging|Processing) .*\n/gm, '')
}

const inRelease = (path: string) => path.replace(work, '/srv')

test('dpkg installs and purges it; programs of other packages stay, and nothing is left', {
  timeout: 300_000,
}, (context) => {
  requires(context, 'root', 'dpkg(1)', 'busybox')
  const deb = inRelease(packages.amd64!)
  const other = inRelease(buildOther())
  writeBundle()
  // this host may have programs of these names
  const out = inOverlay(`
for name in cgxget cgxset lssubsys hutch-oci; do rm -f /usr/bin/$name; done
echo own >/usr/bin/lssubsys
dpkg --no-triggers --install ${deb}
hutch version
hutch run --isolate all -- echo contained
for name in cgxget cgxset hutch-oci; do test "$(readlink -f /usr/bin/$name)" = /usr/bin/hutch; done
cgxget --help | head -n 1
hutch-oci --version | head -n 1
hutch generate podman | grep /bin/hutch-oci
hutch-oci --root /tmp/state run --bundle /srv/bundle hutch-test-deb || echo status $?
dpkg --verify hutch
bash -c ". /usr/share/bash-completion/completions/hutch; complete -p hutch" | grep -o "hutch$"
/usr/lib/hutch/bin/unshare --version
dpkg --no-triggers --install ${other}
cgxget
dpkg --no-triggers --install ${deb}
cgxget
dpkg --no-triggers --purge hutch
cgxget
cat /usr/bin/lssubsys
dpkg --no-triggers --purge other-tools
! dpkg --status hutch >/dev/null 2>&1
ls /usr/bin/cgxset /usr/bin/hutch-oci /var/lib/dpkg/alternatives/cgxset /var/lib/dpkg/alternatives/hutch-oci 2>/dev/null || true
rm /usr/bin/lssubsys`)
  const removedByScript = /^\.\/usr\/bin\/(cgxget|cgxset|lssubsys|hutch-oci)$/
  expect(out.split('\n').filter((line) => !removedByScript.test(line))).toEqual([
    expect.stringMatching(/^hutch .* \(without Node\)$/),
    'contained',
    expect.stringMatching(/^Usage: cgxget /),
    expect.stringMatching(/^hutch-oci version \d/),
    '"hutch-oci" = ["/usr/bin/hutch-oci"]',
    'over hutch-oci',
    'status 7',
    'hutch',
    expect.stringMatching(/^unshare from hutch \d/),
    'other',
    'other',
    'other',
    'own',
    '',
  ])
})

test('the package for arm64 is installed and purged where dpkg knows that architecture', {
  timeout: 300_000,
}, (context) => {
  requires(context, 'root', 'dpkg(1)')
  const out = inOverlay(`
dpkg --add-architecture arm64
dpkg --no-triggers --install ${inRelease(packages.arm64!)}
dpkg --verify hutch:arm64
test -x /usr/bin/hutch
dpkg --no-triggers --purge hutch:arm64`)
  expect(out).toBe('')
})
