"""What viewers do, for pages and the API alike: each function makes an Action, which `acting` carries out."""
