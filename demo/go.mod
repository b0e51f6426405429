module shipway.dev/demo

go 1.23
