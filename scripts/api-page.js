// SPDX-License-Identifier: Apache-2.0
// Writes docs/api.md: every public symbol, from the declarations in dist/types, read by API Extractor.
//   npm run build && node scripts/api-page.js [--check]
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const root = process.cwd()
const work = mkdtempSync(`${root}/build/api-`)
const compilerOptions = {
  ...{ module: 'nodenext', moduleResolution: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'] },
  ...{ types: ['node'], allowImportingTsExtensions: true, noEmit: true, skipLibCheck: true, strict: true },
}
const entry = `${root}/dist/types/index.d.ts`
const silent = { default: { logLevel: 'none' } }
const config = {
  projectFolder: root,
  mainEntryPointFilePath: entry,
  compiler: { overrideTsconfig: { compilerOptions, files: [entry] } },
  apiReport: { enabled: false },
  docModel: { enabled: true, apiJsonFilePath: `${work}/api.json` },
  dtsRollup: { enabled: false },
  tsdocMetadata: { enabled: false },
  messages: { compilerMessageReporting: silent, extractorMessageReporting: silent, tsdocMessageReporting: silent },
}
writeFileSync(`${work}/config.json`, JSON.stringify(config))
execFileSync('node_modules/.bin/api-extractor', ['run', '--local', '-c', `${work}/config.json`], { stdio: 'pipe' })
const { members } = JSON.parse(readFileSync(`${work}/api.json`, 'utf8')).members[0]
rmSync(work, { recursive: true })

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
/** Returns the text of a comment: its paragraphs, then what it throws. */
function textOf({ docComment = '' }) {
  const text = docComment
    .trim()
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^ *\* ?/gm, '')
    .trim()
  const throws = [...text.matchAll(/@throws\s+([^@]+)/g)].map(([, what]) =>
    what.trim().replace(/\s+/g, ' ').replace(/\.$/, ''),
  )
  const plain = text.replace(/@(throws|see|internal)[^@]*/g, '').trim()
  return { plain, throws }
}
const signature = ({ excerptTokens = [] }) => excerptTokens.map(({ text }) => text).join('')
const typeOf = (member) =>
  signature(member)
    .replace(/^(readonly )?[\w'$[\].]+\??: /, '')
    .replace(/;$/, '')
const isInternal = ({ docComment = '', name = '' }) => docComment.includes('@internal') || name.startsWith('#')

function memberRow(member) {
  const { plain, throws } = textOf(member)
  const isProperty = member.kind === 'PropertySignature' || member.kind === 'Property'
  const shown = isProperty ? `${member.name}${member.isOptional ? '?' : ''}: ${typeOf(member)}` : signature(member)
  const errors = throws.map((what) => ` Throws ${what}.`).join('')
  return `| \`${cell(shown.replace(/\s+/g, ' '))}\` | ${cell(plain)}${cell(errors)} |`
}

function section(symbol) {
  const { plain, throws } = textOf(symbol)
  const rows = (symbol.members ?? []).filter((member) => member.kind !== 'Constructor' && !isInternal(member))
  const declaration = signature(symbol).replace(/^export declare /, '')
  return [
    `### ${symbol.name}\n`,
    ...(plain ? [`${plain}\n`] : []),
    `\`\`\`typescript\n${declaration}\n\`\`\`\n`,
    ...throws.map((what) => `Throws ${what}.\n`),
    ...(rows.length > 0 ? [`| Member | |\n| --- | --- |\n${rows.map(memberRow).join('\n')}\n`] : []),
  ].join('\n')
}

const parts = { Functions: ['Function', 'Variable'], Classes: ['Class'], Types: ['Interface', 'TypeAlias'] }
const text = `# The library

This page is generated from the types of the package. [options.md](options.md) explains the options of a job, and [errors.md](errors.md) the errors.

${Object.entries(parts)
  .map(
    ([title, kinds]) =>
      `## ${title}\n\n${members
        .filter(({ kind }) => kinds.includes(kind))
        .map(section)
        .join('\n')}`,
  )
  .join('\n')}`
if (!process.argv.includes('--check')) writeFileSync('docs/api.md', text)
else if (readFileSync('docs/api.md', 'utf8') !== text) {
  process.stderr.write('docs/api.md is not up to date: node scripts/api-page.js\n')
  process.exitCode = 1
}
