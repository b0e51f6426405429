module github.com/shipway/shipway/demo

go 1.23
