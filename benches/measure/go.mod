module shipway.dev/measure

go 1.24.0
