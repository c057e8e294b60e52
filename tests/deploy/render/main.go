// Renders a Helm chart as `helm template` would, for a machine without Helm: the same template language, functions, order of
// values and check by the schema, from the libraries that Helm itself is made of.
//
//	render [--release NAME] [--namespace NAME] [--api-version NAME]... [--values FILE]... CHART
//
// Prints every template's output, each after a comment that names it; notes are printed as comments. Exits 1 with what is wrong
// with values or templates. What this chart does not use is left out: subcharts, lookup, files, hooks.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

type values = map[string]interface{}

// Strings is a flag that may be repeated.
type Strings []string

func (s *Strings) String() string { return strings.Join(*s, ",") }
func (s *Strings) Set(value string) error {
	*s = append(*s, value)
	return nil
}

// APIVersions are what the cluster knows.
type APIVersions []string

// Has is called by templates.
func (a APIVersions) Has(name string) bool {
	for _, known := range a {
		if known == name {
			return true
		}
	}
	return false
}

func readYAML(path string, into interface{}) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// merge puts `over` over `under`: objects key by key, null takes a key away, everything else is replaced.
func merge(under, over values) values {
	for key, value := range over {
		below, isBelow := under[key].(values)
		above, isAbove := value.(values)
		switch {
		case value == nil:
			delete(under, key)
		case isBelow && isAbove:
			under[key] = merge(below, above)
		default:
			under[key] = value
		}
	}
	return under
}

func checkSchema(path string, vals values) error {
	schema, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := json.Marshal(vals)
	if err != nil {
		return err
	}
	result, err := gojsonschema.Validate(gojsonschema.NewBytesLoader(schema), gojsonschema.NewBytesLoader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if result.Valid() {
		return nil
	}
	var wrong []string
	for _, each := range result.Errors() {
		wrong = append(wrong, "- "+each.String())
	}
	return fmt.Errorf("values don't meet the specifications of the schema:\n%s", strings.Join(wrong, "\n"))
}

// functions are sprig's without what Helm takes away, and what Helm adds.
func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	delete(known, "env")
	delete(known, "expandenv")
	known["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	known["fromYaml"] = func(text string) (values, error) {
		read := values{}
		return read, yaml.Unmarshal([]byte(text), &read)
	}
	known["required"] = func(message string, value interface{}) (interface{}, error) {
		if text, isText := value.(string); value == nil || isText && text == "" {
			return nil, errors.New(message)
		}
		return value, nil
	}
	known["include"] = func(name string, data interface{}) (string, error) {
		var out strings.Builder
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	known["tpl"] = func(text string, data interface{}) (string, error) {
		inner, err := all.Clone()
		if err != nil {
			return "", err
		}
		if inner, err = inner.New("tpl").Parse(text); err != nil {
			return "", err
		}
		var out strings.Builder
		err = inner.Execute(&out, data)
		return out.String(), err
	}
	return known
}

// parse reads all templates of the chart; those that print something are returned by name, in order.
func parse(chart string) (*template.Template, []string, error) {
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all))
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil {
		return nil, nil, err
	}
	sort.Strings(paths)
	var printed []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		name := filepath.Base(path)
		if _, err := all.New(name).Parse(string(text)); err != nil {
			return nil, nil, err
		}
		if !strings.HasPrefix(name, "_") {
			printed = append(printed, name)
		}
	}
	if len(printed) == 0 {
		return nil, nil, fmt.Errorf("%s has no templates", chart)
	}
	return all, printed, nil
}

// data is what templates see.
func data(chart string, files []string, release, namespace string, apis []string) (values, error) {
	about := values{}
	if err := readYAML(filepath.Join(chart, "Chart.yaml"), &about); err != nil {
		return nil, err
	}
	vals := values{}
	for _, file := range append([]string{filepath.Join(chart, "values.yaml")}, files...) {
		read := values{}
		if err := readYAML(file, &read); err != nil {
			return nil, err
		}
		vals = merge(vals, read)
	}
	if err := checkSchema(filepath.Join(chart, "values.schema.json"), vals); err != nil {
		return nil, err
	}
	// Templates write the fields of Chart.yaml with a capital letter.
	named := values{}
	for key, value := range about {
		named[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return values{
		"Values":       vals,
		"Chart":        named,
		"Release":      values{"Name": release, "Namespace": namespace, "Service": "Helm", "IsInstall": true, "Revision": 1},
		"Capabilities": values{"KubeVersion": values{"Version": "v1.30.0", "Major": "1", "Minor": "30"}, "APIVersions": APIVersions(apis)},
	}, nil
}

func run() error {
	var files, apis Strings
	release := flag.String("release", "sluice", "name of the release")
	namespace := flag.String("namespace", "updates", "where it would be installed")
	flag.Var(&files, "values", "file with values; may be repeated")
	flag.Var(&apis, "api-version", "what the cluster knows, as in monitoring.coreos.com/v1; may be repeated")
	flag.Parse()
	if flag.NArg() != 1 {
		return errors.New("needs the folder of a chart")
	}
	seen, err := data(flag.Arg(0), files, *release, *namespace, apis)
	if err != nil {
		return err
	}
	all, printed, err := parse(flag.Arg(0))
	if err != nil {
		return err
	}
	for _, name := range printed {
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, seen); err != nil {
			return err
		}
		text := strings.ReplaceAll(out.String(), "<no value>", "")
		if strings.HasSuffix(name, ".txt") {
			text = "# " + strings.ReplaceAll(text, "\n", "\n# ")
		}
		fmt.Printf("---\n# Source: %s\n%s\n", name, text)
	}
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}
