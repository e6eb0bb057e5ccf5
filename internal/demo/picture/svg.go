package main

import (
	"fmt"
	"html"
	"strings"
	"unicode/utf8"
)

// Measures of the drawing, in pixels.
const (
	charWidth  = 7.83 // of a monospaced font of fontSize
	fontSize   = 13
	lineHeight = 18
	margin     = 16
	barHeight  = 30
)

// colours are those of the palette on the dark background.
var colours = map[string]string{
	"": "#d6d9de", "black": "#6b7280", "red": "#ff7b72", "green": "#7ee787", "yellow": "#e3b341",
	"blue": "#79c0ff", "magenta": "#d2a8ff", "cyan": "#76e3ea", "white": "#ffffff",
}

// draw returns the SVG of a terminal window with these rows. Every span has its place, so that rows line up whatever font is found.
func draw(lines []line, title string, columns int) string {
	width := int(float64(columns)*charWidth) + 2*margin
	height := barHeight + len(lines)*lineHeight + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="8" fill="#16191f"/>`+"\n", width, height)
	for i, fill := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="5.5" fill="%s"/>`+"\n", margin+6+i*18, barHeight/2, fill)
	}
	fmt.Fprintf(&b, `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="%d">`+"\n", fontSize)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#8b949e">%s</text>`+"\n", width/2, barHeight/2+4, html.EscapeString(title))
	for i, l := range lines {
		at := 0
		for _, s := range l {
			n := utf8.RuneCountInString(s.text)
			if strings.TrimSpace(s.text) != "" {
				drawSpan(&b, s, margin+float64(at)*charWidth, barHeight+(i+1)*lineHeight-4, float64(n)*charWidth)
			}
			at += n
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}

func drawSpan(b *strings.Builder, s span, x float64, y int, length float64) {
	weight := ""
	if s.bold {
		weight = ` font-weight="bold"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="%s"%s>%s</text>`+"\n",
		x, y, length, colours[s.colour], weight, html.EscapeString(s.text))
}
