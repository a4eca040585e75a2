// SPDX-License-Identifier: Apache-2.0
// Writes docs/api.md: every public symbol, from the declarations in dist/types, read by API Extractor.
//   npm run build && node scripts/api-page.js [--check] [--model FILE]
// Refuses a public declaration with a type that is not exported. `--model` writes what API Extractor found; test/docs/api.test.ts reads it.
import { spawnSync } from 'node:child_process'
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
  messages: {
    compilerMessageReporting: silent,
    // every type that a public declaration names must be exported too
    extractorMessageReporting: { ...silent, 'ae-forgotten-export': { logLevel: 'error' } },
    tsdocMessageReporting: silent,
  },
}
writeFileSync(`${work}/config.json`, JSON.stringify(config))
const arguments_ = ['run', '--local', '-c', `${work}/config.json`]
const extractor = spawnSync('node_modules/.bin/api-extractor', arguments_, { encoding: 'utf8' })
const complaints = `${extractor.stdout}${extractor.stderr}`.split('\n').filter((line) => /error/i.test(line))
if (extractor.status !== 0) {
  rmSync(work, { recursive: true })
  process.stderr.write(`${complaints.join('\n')}\n`)
  process.exit(1)
}
const { members } = JSON.parse(readFileSync(`${work}/api.json`, 'utf8')).members[0]
const model = process.argv.indexOf('--model')
if (model > 0) writeFileSync(process.argv[model + 1], JSON.stringify(members))
rmSync(work, { recursive: true })

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
/** Returns the text of a comment: its paragraphs, what it throws, and its examples. */
function textOf({ docComment = '' }) {
  const text = docComment
    .trim()
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^ *\* ?/gm, '')
    .trim()
  const [plain, ...tags] = text.split(/@(?=(?:throws|see|internal|example)\b)/)
  const contentsOf = (tag) => tags.filter((part) => part.startsWith(tag)).map((part) => part.slice(tag.length).trim())
  const throws = contentsOf('throws').map((what) =>
    what
      .replace(/\s+/g, ' ')
      .replace(/\.$/, '')
      .replace(/(?<!`)\b[A-Z]+_[A-Z_]+\b/g, '`$&`'),
  )
  return { plain: plain.trim(), throws, examples: contentsOf('example') }
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
  const { plain, throws, examples } = textOf(symbol)
  const rows = (symbol.members ?? []).filter((member) => member.kind !== 'Constructor' && !isInternal(member))
  const declaration = signature(symbol).replace(/^export declare /, '')
  return [
    `### ${symbol.name}\n`,
    ...(plain ? [`${plain}\n`] : []),
    `\`\`\`typescript\n${declaration}\n\`\`\`\n`,
    ...throws.map((what) => `Throws ${what}.\n`),
    ...examples.map((code) => `\`\`\`javascript\n${code}\n\`\`\`\n`),
    ...(rows.length > 0 ? [`| Member | |\n| --- | --- |\n${rows.map(memberRow).join('\n')}\n`] : []),
  ].join('\n')
}

const parts = { Functions: ['Function', 'Variable'], Classes: ['Class'], Types: ['Interface', 'TypeAlias'] }
const text = `# The library

This page is generated from the types of the package. [options.md](options.md) explains the options of a job, and [errors.md](errors.md) the errors.
Every call can also throw \`NATIVE_MISSING\` and \`HOST_UNSUPPORTED\`.

A test runs the examples. Each begins with an import of the names that it uses, such as \`import { run } from 'hutch'\`. A comment after
\`console.log\` is what the call prints.

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
