"""Note of each answer the organization that it counts for."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_key_without_scopes'),
        ('idempotency', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='answer',
            name='organization',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.organization'),
        ),
    ]
