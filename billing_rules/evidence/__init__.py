"""What the chart shows, as several rules need it: values, past doses, authorizations."""
