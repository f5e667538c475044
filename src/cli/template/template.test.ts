import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as check, constantFrom, property, string } from "fast-check";
import { quote, unquote } from "./quote.ts";
import { compileTemplate } from "./template.ts";
import { GoFloat, markMap, TypedNil } from "./value.ts";

const data = {
  Name: "web",
  Count: 3,
  Big: 12345678901,
  Share: new GoFloat(1.5),
  List: ["a", "b", "c"],
  Labels: markMap({ "com.example": "x", b: "2" }),
  Nothing: null,
  NoMap: new TypedNil("map"),
  Health: new TypedNil("pointer"),
  Nested: { Deep: { Value: "v" }, On: true, Off: false, Zero: 0, Empty: "" },
};

// Each right side is what Go's text/template with Docker's functions prints.
const cases: readonly (readonly [template: string, text: string])[] = [
  ["{{.Name}}", "web"],
  ["a{{/* note */}}b", "ab"],
  ["x  {{- .Name -}}  y", "xweby"],
  ["{{.Count}} {{.Big}} {{.Share}}", "3 12345678901 1.5"],
  ["{{.List}} {{.Labels}}", "[a b c] map[b:2 com.example:x]"],
  ["{{.Nothing}} {{.NoMap}} {{.Health}}", "<no value> map[] <nil>"],
  ['{{.Labels.absent}}|{{index .Labels "absent"}}|{{index .Labels "com.example"}}', "<no value>||x"],
  ["{{if .Nothing}}a{{else if .Nested.On}}b{{else}}c{{end}}", "b"],
  ["{{with .Nested.Deep}}{{.Value}}{{end}}{{with .Nothing}}x{{else}}none{{end}}", "vnone"],
  ["{{range .List}}{{.}},{{end}}", "a,b,c,"],
  ["{{range $i, $x := .List}}{{$i}}={{$x}} {{end}}", "0=a 1=b 2=c "],
  ["{{range $k, $v := .Labels}}{{$k}}:{{$v}};{{end}}", "b:2;com.example:x;"],
  ["{{range .NoMap}}x{{else}}empty{{end}}", "empty"],
  ['{{range .List}}{{if eq . "b"}}{{continue}}{{end}}{{.}}{{end}}', "ac"],
  ['{{range .List}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}', "a"],
  ['{{$x := .Name}}{{$x | upper}}{{$x = "z"}}{{$x}}', "WEBz"],
  ['{{json .Nested}} {{json "<a>"}}', '{"Deep":{"Value":"v"},"On":true,"Off":false,"Zero":0,"Empty":""} "<a>"'],
  ['{{join .List "-"}} {{index (split "x:y" ":") 1}}', "a-b-c y"],
  ['{{title "hello world"}} {{truncate "abcdef" 3}} [{{pad "x" 1 2}}]', "Hello World abc [ x  ]"],
  ["{{len .List}} {{len .Name}} {{slice .Name 1 2}} {{index .List 2}}", "3 3 e c"],
  [
    '{{printf "%-5s|%5d|%05d|%q|%v|%t|%x" .Name 42 42 "a\\n" .List true 255}}',
    'web  |   42|00042|"a\\n"|[a b c]|true|ff',
  ],
  ['{{printf "%.2f %6.1f %s" .Share .Share .Count}}', "1.50    1.5 %!s(int=3)"],
  ['{{printf "%d"}} {{printf "%s" "a" "b"}}', "%!d(MISSING) a%!(EXTRA string=b)"],
  ['{{println "a" 1}}{{print 1 2 "x" 3}}', "a 1\n1 2x3"],
  ["{{eq .Count 1 3}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}} {{not true}}", "true true true true false"],
  ["{{and .Name .Nothing}} {{or .Nothing .Name}} {{and 1 0 .Nothing.X}}", "<no value> web 0"],
  ['{{(index .List 0) | printf "%s!"}} {{(printf "%s" .Name)}}', "a! web"],
  ["{{`raw\\n`}} {{'a'}} {{0x1f}} {{1e3}}", "raw\\n 97 31 1000"],
  ['{{html "<a href=\'x\'>"}} {{urlquery "a b&c"}}', "&lt;a href=&#39;x&#39;&gt; a+b%26c"],
];

test("compileTemplate: prints what Go's templates print", () => {
  for (const [template, text] of cases) assert.equal(compileTemplate(template).render(data), text, template);
});

const failures: readonly (readonly [template: string, message: string])[] = [
  ["{{.Name", "template: :1: unclosed action"],
  ["{{foo .Name}}", 'template: :1: function "foo" not defined'],
  ["{{if}}x{{end}}", "template: :1: missing value for if"],
  ["{{if .Name}}x", "template: :1: unexpected EOF"],
  ["\n{{end}}", "template: :2: unexpected {{end}}"],
  ["{{$x}}", 'template: :1: undefined variable "$x"'],
  ["{{break}}", "template: :1: {{break}} outside {{range}}"],
  ["{{.Zork}}", 'template: :1:2: executing "" at <.Zork>: map has no entry for key "Zork"'],
  ["{{.Nested.Zork.X}}", 'template: :1:9: executing "" at <.Nested.Zork.X>: map has no entry for key "Zork"'],
  ["{{.Name.X}}", 'template: :1:7: executing "" at <.Name.X>: can\'t evaluate field X in type string'],
  ['{{eq 1 "a"}}', 'template: :1:2: executing "" at <eq 1 "a">: error calling eq: incompatible types for comparison'],
  ["{{index .List 9}}", 'template: :1:2: executing "" at <index .List 9>: error calling index: index out of range: 9'],
];

test("compileTemplate: fails in Go's words", () => {
  for (const [template, message] of failures) {
    assert.throws(() => compileTemplate(template).render(data), { message }, template);
  }
});

test("compileTemplate: whatever the text, it renders or fails with an Error, and soon", () => {
  const pieces = constantFrom(
    "{{",
    "}}",
    ".Name",
    " ",
    "if",
    "end",
    "range",
    "(",
    ")",
    "|",
    '"',
    "$x",
    ":=",
    "-",
    "else",
    "1",
    "x",
    "`",
  );
  check(
    property(array(pieces, { maxLength: 20 }), (parts) => {
      try {
        assert.equal(typeof compileTemplate(parts.join("")).render(data), "string");
      } catch (error) {
        assert.match((error as Error).message, /^template: :\d+/);
      }
    }),
    { numRuns: 2000 },
  );
});

test("quote: unquote takes it back", () => {
  check(property(string({ unit: "grapheme" }), (text) => assert.equal(unquote(quote(text)), text)));
});
