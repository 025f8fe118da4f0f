// Maps and coerces 13 fields with the engine of Segment's own destinations, over rows handed in by benchmarks/peer.py.
//
//     node benchmarks/peer.mjs FOLDER     FOLDER has node_modules
//
// The first line it is sent holds {"rows": [...], "seconds": 1}; it answers with the first row mapped. To each further
// line it answers with the messages per second of one more round.
//
// What a destination action does with each event before its own code runs (destination-kit/action.js, `execute`):
// `transform` resolves the mapping, `removeEmptyValues` drops what is empty, `validateSchema` coerces and checks.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { createInterface } from 'node:readline'

const require = createRequire(join(process.argv[2], 'package.json'))
const { transform, validateSchema } = require('@segment/actions-core')
const inside = join(process.argv[2], 'node_modules', '@segment', 'actions-core', 'dist', 'cjs')
const { removeEmptyValues } = require(join(inside, 'remove-empty-values.js')) // not among the package's exports

const mapping = {
  source_id: { '@path': '$.userId' },
  email: { '@path': '$.traits.email' },
  first_name: { '@path': '$.traits.firstName' },
  last_name: { '@path': '$.traits.lastName' },
  birthdate: { '@path': '$.traits.birthday' },
  created_at: { '@path': '$.traits.createdAt' },
  locale: { '@path': '$.context.locale' },
  timezone: { '@path': '$.context.timezone' },
  city: { '@path': '$.traits.address.city' },
  country: { '@path': '$.traits.address.country' },
  points: { '@path': '$.traits.points' },
  newsletter: { '@path': '$.traits.newsletter' },
  loyalty_tier: { '@path': '$.traits.loyalty_tier' }
}
const text = { type: 'string' }
const schema = {
  type: 'object',
  properties: {
    source_id: text,
    email: { type: 'string', format: 'email' },
    first_name: text,
    last_name: text,
    birthdate: { type: 'string', format: 'date' },
    created_at: { type: 'string', format: 'date-time' },
    locale: text,
    timezone: text,
    city: text,
    country: text,
    points: { type: 'integer' },
    newsletter: { type: 'boolean' },
    loyalty_tier: text
  }
}

function map(row) {
  const payload = removeEmptyValues(transform(mapping, row), schema, true)
  validateSchema(payload, schema, { schemaKey: 'thirteen', throwIfInvalid: false })
  return payload
}

// Messages per second; the clock is read once per pass over the rows.
function rate({ rows, seconds }) {
  const began = performance.now()
  let done = 0
  let now = began
  while (now - began < seconds * 1000) {
    for (const row of rows) map(row)
    done += rows.length
    now = performance.now()
  }
  return (done * 1000) / (now - began)
}

let given
for await (const line of createInterface({ input: process.stdin })) {
  if (given === undefined) {
    given = JSON.parse(line)
    console.log(JSON.stringify(map(given.rows[0])))
  } else {
    console.log(rate(given))
  }
}
